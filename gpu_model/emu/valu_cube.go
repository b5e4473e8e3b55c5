package emu

import "math"

// The cube-map instructions take a direction (x, y, z) (source: CLRX GcnInstrsVop3, V_CUBEID_F32 …).

func cubeFace(a, b, c uint32) (face int, x, y, z float32) {
	x, y, z = math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c)
	ax, ay, az := abs32(x), abs32(y), abs32(z)
	switch {
	case az >= ax && az >= ay:
		face = 4
		if z < 0 {
			face = 5
		}
	case ay >= ax:
		face = 2
		if y < 0 {
			face = 3
		}
	default:
		if x < 0 {
			face = 1
		}
	}
	return face, x, y, z
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func cubeID(_ Mode, a, b, c uint32) uint32 {
	face, _, _, _ := cubeFace(a, b, c)
	return math.Float32bits(float32(face))
}

func cubeS(_ Mode, a, b, c uint32) uint32 {
	face, x, _, z := cubeFace(a, b, c)
	return math.Float32bits([6]float32{-z, z, x, x, x, -x}[face])
}

func cubeT(_ Mode, a, b, c uint32) uint32 {
	face, _, y, z := cubeFace(a, b, c)
	return math.Float32bits([6]float32{-y, -y, z, -z, -y, -y}[face])
}

func cubeMajor(_ Mode, a, b, c uint32) uint32 {
	face, x, y, z := cubeFace(a, b, c)
	return math.Float32bits(2 * [6]float32{x, x, y, y, z, z}[face])
}
