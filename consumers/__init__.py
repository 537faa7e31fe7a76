"""For programs that consume events: the runtime of an AMQP subscription, and projections."""
