// Package hugepages asks the host for large pages (2 MiB on x86-64) behind memory that is touched all over. Where transparent huge pages are
// there for whom asks only, the default of many Linux distributions, a simulation otherwise spends a tenth of its time on translations of
// addresses. It is advice: where the host has no such pages, nothing happens.
package hugepages
