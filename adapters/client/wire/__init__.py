"""The messages of nusabus.bus.v1, generated: `make proto`."""
