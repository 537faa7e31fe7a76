"""The gRPC door: it translates and never decides."""
