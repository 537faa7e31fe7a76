"""The gRPC door: it translates and never decides."""

import os

# Before gRPC is loaded: a process forks only to begin another program, and its log is JSON.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
