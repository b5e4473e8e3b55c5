package simd

import "golang.org/x/sys/cpu"

func hostLevels() []*Level {
	if !cpu.ARM64.HasASIMD {
		return nil
	}
	return []*Level{{Name: "neon", funcs: &neonFuncs}}
}
