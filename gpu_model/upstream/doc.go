// Package upstream knows which kernels upstream MGPUSim executes properly: a table of instructions, measured on it, and a check of a kernel
// against the table. Upstream computes wrongly, stops or never ends where a kernel has an instruction that it lacks, so that the check
// comes before a launch.
package upstream
