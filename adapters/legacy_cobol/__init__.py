"""COBOL batch files in and out, to the byte: a client of the gateway's HTTP interface."""
