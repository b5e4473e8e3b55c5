// Package capsule reads, runs, records and describes capsules. A capsule is one kernel launch as a folder: the code object, the
// launch's geometry, the raw kernel arguments, and the memory that it touches, before and after, at its device addresses. Any
// simulator or GPU can produce one; docs/capsules.md describes the format.
package capsule
