"""Generated protocol code of spartan.cosim.v1: `make protos` writes it, nobody edits it."""
