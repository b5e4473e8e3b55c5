package memory

import "syscall"

// mapNoReserve keeps a large mapping from counting against the host's overcommit limit.
const mapNoReserve = syscall.MAP_NORESERVE
