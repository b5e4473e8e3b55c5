// Package cases gives the other Go module of this repository the cases measured on upstream MGPUSim, for its tests.
package cases

import "github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"

// Case is one recorded run.
type Case = reference.Case

// Directory returns the folder of the reference, false where it is not beside the repository.
func Directory() (string, bool) { return reference.Directory() }

// Load reads all cases of a folder.
func Load(directory string) ([]Case, error) { return reference.Load(directory) }
