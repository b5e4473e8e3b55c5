// Package platform is an R9 Nano of upstream MGPUSim v4.2 that a server or a command drives: built from upstream's exported builders, with
// a host, a page table and a device memory of its own, so that code objects, addresses and launches are those of our own model.
package platform
