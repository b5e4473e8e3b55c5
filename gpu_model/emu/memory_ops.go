package emu

import "github.com/spartan-cosim/spartan-cosim/gpu_model/isa"

func init() {
	for _, row := range isa.Opcodes() {
		switch row.Format {
		case isa.SMEM, isa.DS, isa.FLAT, isa.MUBUF, isa.MTBUF:
			executors[row.Index] = bindMemory
		}
	}
}
