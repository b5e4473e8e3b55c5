"""Python models of the Spartan hardware units, and what a unit of one's own is built from."""
