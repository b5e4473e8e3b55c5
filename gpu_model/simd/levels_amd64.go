package simd

import "golang.org/x/sys/cpu"

func hostLevels() (levels []*Level) {
	x := &cpu.X86
	avx2 := x.HasAVX2 && x.HasFMA && x.HasBMI2
	if avx2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		levels = append(levels, &Level{Name: "avx512", funcs: &avx512Funcs, memory: avx512Memory})
	}
	if avx2 {
		levels = append(levels, &Level{Name: "avx2", funcs: &avx2Funcs})
	}
	return levels
}
