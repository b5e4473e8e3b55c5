package emu

// Loops of the integer instructions that dominate kernels.

func laneAnd(_ Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = a & b[i]
	}
}

func laneOr(_ Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = a | b[i]
	}
}

func laneXor(_ Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = a ^ b[i]
	}
}

func laneShiftLeft(_ Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = b[i] << (a & 31)
	}
}

func laneShiftRight(_ Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = b[i] >> (a & 31)
	}
}

func laneShiftArithmetic(_ Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = uint32(int32(b[i]) >> (a & 31))
	}
}
