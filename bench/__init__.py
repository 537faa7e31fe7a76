"""Side-by-side measurements: what Nusabus costs against what one would do without it."""

import os

# Or a program that is started as another user while gRPC is in use dies before it begins: gRPC's
# handlers of fork() run in it. Before gRPC is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
