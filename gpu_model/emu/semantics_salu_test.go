package emu

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// scalarSources is what a scalar instruction reads.
type scalarSources struct {
	a, b uint64 // sources, to the width of their slots
	k    int64  // SOPK immediate, sign-extended
	old  uint64 // destination before; a source of SOPK
	scc  bool
	exec uint64
}

// scalarResult is what it gives; keep fields are what was there.
type scalarResult struct {
	d    uint64
	none bool // the destination keeps its value
	scc  bool
	exec uint64
}

type scalarOracle func(s *scalarSources) scalarResult

// scalarOracles is filled from tables below; EXEC and SCC are those before unless an oracle sets them.
func scalarOracles() map[string]scalarOracle {
	all := map[string]scalarOracle{}
	plain := func(name string, f func(s *scalarSources) uint64) {
		all[name] = func(s *scalarSources) scalarResult { return scalarResult{d: f(s), scc: s.scc, exec: s.exec} }
	}
	tested := func(name string, f func(s *scalarSources) uint64) { // SCC: the result is not 0
		all[name] = func(s *scalarSources) scalarResult {
			d := f(s)
			return scalarResult{d: d, scc: d != 0, exec: s.exec}
		}
	}
	compare := func(name string, f func(s *scalarSources) bool) {
		all[name] = func(s *scalarSources) scalarResult { return scalarResult{none: true, scc: f(s), exec: s.exec} }
	}
	scalarSums(all)
	scalarBitwise(all, tested)
	for _, width := range []int{32, 64} {
		w := width
		suffix := fmt.Sprintf("_b%d", w)
		at := func(x uint64) int { return int(x) & (w - 1) }
		plain("s_mov"+suffix, func(s *scalarSources) uint64 { return s.a })
		tested("s_lshl"+suffix, func(s *scalarSources) uint64 {
			return collect(w, func(i int) uint64 {
				if i < at(s.b) {
					return 0
				}
				return bit(s.a, i-at(s.b))
			})
		})
		tested("s_lshr"+suffix, func(s *scalarSources) uint64 {
			return collect(w, func(i int) uint64 {
				if i+at(s.b) >= w {
					return 0
				}
				return bit(s.a, i+at(s.b))
			})
		})
		tested(fmt.Sprintf("s_ashr_i%d", w), func(s *scalarSources) uint64 {
			return collect(w, func(i int) uint64 { return bit(s.a, min(i+at(s.b), w-1)) })
		})
		plain("s_brev"+suffix, func(s *scalarSources) uint64 { return collect(w, func(i int) uint64 { return bit(s.a, w-1-i) }) })
		plain("s_bfm"+suffix, func(s *scalarSources) uint64 {
			return collect(w, func(i int) uint64 {
				if i >= at(s.b) && i < at(s.b)+at(s.a) {
					return 1
				}
				return 0
			})
		})
		for _, signed := range []bool{false, true} {
			tested(fmt.Sprintf("s_bfe_%s%d", map[bool]string{false: "u", true: "i"}[signed], w), func(s *scalarSources) uint64 {
				first, n := at(s.b), int(s.b>>16&127)
				if n == 0 {
					return 0
				}
				last := min(first+n-1, w-1)
				return collect(w, func(i int) uint64 {
					switch {
					case first+i <= last:
						return bit(s.a, first+i)
					case signed:
						return bit(s.a, last)
					}
					return 0
				})
			})
		}
		count := func(s *scalarSources, of uint64) (n uint64) {
			for i := range w {
				if bit(s.a, i) == of {
					n++
				}
			}
			return n
		}
		tested("s_bcnt0_i32"+suffix, func(s *scalarSources) uint64 { return count(s, 0) })
		tested("s_bcnt1_i32"+suffix, func(s *scalarSources) uint64 { return count(s, 1) })
		find := func(name string, down bool, wanted func(a uint64) uint64) {
			plain(name, func(s *scalarSources) uint64 {
				for i := range w {
					place := i
					if down {
						place = w - 1 - i
					}
					if bit(s.a, place) == wanted(s.a) {
						return uint64(i)
					}
				}
				return 0xffffffff
			})
		}
		find("s_ff0_i32"+suffix, false, func(uint64) uint64 { return 0 })
		find("s_ff1_i32"+suffix, false, func(uint64) uint64 { return 1 })
		find("s_flbit_i32"+suffix, true, func(uint64) uint64 { return 1 })
		find(map[int]string{32: "s_flbit_i32", 64: "s_flbit_i32_i64"}[w], true, func(a uint64) uint64 { return 1 - bit(a, w-1) })
		tested("s_wqm"+suffix, func(s *scalarSources) uint64 {
			return collect(w, func(i int) uint64 { return min(1, s.a>>(i&^3)&15) })
		})
		tested("s_quadmask"+suffix, func(s *scalarSources) uint64 {
			return collect(w/4, func(i int) uint64 { return min(1, s.a>>(4*i)&15) })
		})
		for _, to := range []uint64{0, 1} {
			plain(fmt.Sprintf("s_bitset%d%s", to, suffix), func(s *scalarSources) uint64 {
				return collect(w, func(i int) uint64 {
					if i == at(s.a) {
						return to
					}
					return bit(s.old, i)
				})
			})
			compare(fmt.Sprintf("s_bitcmp%d%s", to, suffix), func(s *scalarSources) bool { return bit(s.a, at(s.b)) == to })
		}
		all["s_cmov"+suffix] = func(s *scalarSources) scalarResult {
			return scalarResult{d: s.a, none: !s.scc, scc: s.scc, exec: s.exec}
		}
		plain("s_cselect"+suffix, func(s *scalarSources) uint64 {
			if s.scc {
				return s.a
			}
			return s.b
		})
	}
	plain("s_sext_i32_i8", func(s *scalarSources) uint64 { return collect(32, func(i int) uint64 { return bit(s.a, min(i, 7)) }) })
	plain("s_sext_i32_i16", func(s *scalarSources) uint64 { return collect(32, func(i int) uint64 { return bit(s.a, min(i, 15)) }) })
	plain("s_movk_i32", func(s *scalarSources) uint64 { return uint64(uint32(s.k)) })
	plain("s_mulk_i32", func(s *scalarSources) uint64 { return low(mul(signedOf(s.old, 32), big.NewInt(s.k)), 32) })
	plain("s_mul_i32", func(s *scalarSources) uint64 { return low(mul(signedOf(s.a, 32), signedOf(s.b, 32)), 32) })
	all["s_cmovk_i32"] = func(s *scalarSources) scalarResult {
		return scalarResult{d: uint64(uint32(s.k)), none: !s.scc, scc: s.scc, exec: s.exec}
	}
	for _, relation := range []string{"eq", "lg", "gt", "ge", "lt", "le"} {
		compare("s_cmp_"+relation+"_i32", func(s *scalarSources) bool { return holdsOrder(relation, signedOf(s.a, 32).Cmp(signedOf(s.b, 32))) })
		compare("s_cmp_"+relation+"_u32", func(s *scalarSources) bool { return holdsOrder(relation, unsignedOf(s.a, 32).Cmp(unsignedOf(s.b, 32))) })
		compare("s_cmpk_"+relation+"_i32", func(s *scalarSources) bool { return holdsOrder(relation, signedOf(s.old, 32).Cmp(big.NewInt(s.k))) })
		compare("s_cmpk_"+relation+"_u32", func(s *scalarSources) bool {
			return holdsOrder(relation, unsignedOf(s.old, 32).Cmp(big.NewInt(s.k&0xffff)))
		})
	}
	for _, relation := range []string{"eq", "lg"} {
		compare("s_cmp_"+relation+"_u64", func(s *scalarSources) bool { return (s.a == s.b) == (relation == "eq") })
	}
	return all
}

// scalarSums are the instructions whose SCC is a carry, an overflow, or which source was taken.
func scalarSums(all map[string]scalarOracle) {
	table := func(name string, read func(uint64, int) *big.Int, f func(a, b, scc *big.Int) *big.Int) {
		all[name] = func(s *scalarSources) scalarResult {
			carry := big.NewInt(0)
			if s.scc {
				carry.SetInt64(1)
			}
			v := f(read(s.a, 32), read(s.b, 32), carry)
			return scalarResult{d: low(v, 32), scc: read(low(v, 32), 32).Cmp(v) != 0, exec: s.exec}
		}
	}
	table("s_add_u32", unsignedOf, func(a, b, _ *big.Int) *big.Int { return add(a, b) })
	table("s_sub_u32", unsignedOf, func(a, b, _ *big.Int) *big.Int { return sub(a, b) })
	table("s_add_i32", signedOf, func(a, b, _ *big.Int) *big.Int { return add(a, b) })
	table("s_sub_i32", signedOf, func(a, b, _ *big.Int) *big.Int { return sub(a, b) })
	table("s_addc_u32", unsignedOf, func(a, b, c *big.Int) *big.Int { return add(add(a, b), c) })
	table("s_subb_u32", unsignedOf, func(a, b, c *big.Int) *big.Int { return sub(sub(a, b), c) })
	all["s_addk_i32"] = func(s *scalarSources) scalarResult {
		v := add(signedOf(s.old, 32), big.NewInt(s.k))
		return scalarResult{d: low(v, 32), scc: signedOf(low(v, 32), 32).Cmp(v) != 0, exec: s.exec}
	}
	for _, kind := range []string{"i32", "u32"} {
		read := map[string]func(uint64, int) *big.Int{"i32": signedOf, "u32": unsignedOf}[kind]
		all["s_min_"+kind] = func(s *scalarSources) scalarResult {
			a, b := read(s.a, 32), read(s.b, 32)
			return scalarResult{d: low(least(a, b), 32), scc: a.Cmp(b) < 0, exec: s.exec}
		}
		all["s_max_"+kind] = func(s *scalarSources) scalarResult {
			a, b := read(s.a, 32), read(s.b, 32)
			return scalarResult{d: low(greatest(a, b), 32), scc: a.Cmp(b) > 0, exec: s.exec}
		}
	}
	// The difference and the absolute value are of 32 bits: |−2³¹| is 2³¹.
	all["s_absdiff_i32"] = func(s *scalarSources) scalarResult {
		d := low(new(big.Int).Abs(signedOf(low(sub(signedOf(s.a, 32), signedOf(s.b, 32)), 32), 32)), 32)
		return scalarResult{d: d, scc: d != 0, exec: s.exec}
	}
	all["s_abs_i32"] = func(s *scalarSources) scalarResult {
		d := low(new(big.Int).Abs(signedOf(s.a, 32)), 32)
		return scalarResult{d: d, scc: d != 0, exec: s.exec}
	}
}

// scalarBitwise are the truth tables, in three forms: 32 bits, 64 bits, and with EXEC.
func scalarBitwise(all map[string]scalarOracle, tested func(name string, f func(s *scalarSources) uint64)) {
	truth := map[string][4]uint64{ // results for (a, b) = 00, 01, 10, 11
		"and": {0, 0, 0, 1}, "or": {0, 1, 1, 1}, "xor": {0, 1, 1, 0}, "andn2": {0, 0, 1, 0},
		"orn2": {1, 0, 1, 1}, "nand": {1, 1, 1, 0}, "nor": {1, 0, 0, 0}, "xnor": {1, 0, 0, 1},
	}
	for name, rows := range truth {
		look := func(a, b uint64, width int) uint64 {
			return collect(width, func(i int) uint64 { return rows[2*bit(a, i)+bit(b, i)] })
		}
		tested("s_"+name+"_b32", func(s *scalarSources) uint64 { return look(s.a, s.b, 32) })
		tested("s_"+name+"_b64", func(s *scalarSources) uint64 { return look(s.a, s.b, 64) })
		all["s_"+name+"_saveexec_b64"] = func(s *scalarSources) scalarResult {
			exec := look(s.a, s.exec, 64)
			return scalarResult{d: s.exec, scc: exec != 0, exec: exec}
		}
	}
	tested("s_not_b32", func(s *scalarSources) uint64 { return s.a ^ 0xffffffff })
	tested("s_not_b64", func(s *scalarSources) uint64 { return s.a ^ 0xffffffffffffffff })
}

// encodeScalar returns a random instruction of a row.
func (m *machine) encodeScalar(row *isa.Opcode) []byte {
	source := func() uint32 {
		switch m.r.Intn(8) {
		case 0:
			return uint32([]int{106, 107, 124, 126, 127, 251, 252, 253, 255}[m.r.Intn(9)])
		case 1:
			return uint32(128 + m.r.Intn(81))
		case 2:
			return uint32(240 + m.r.Intn(9))
		}
		return uint32(m.r.Intn(102))
	}
	destination := uint32(m.r.Intn(102))
	if m.r.Intn(6) == 0 {
		destination = []uint32{106, 107, 124, 126, 127}[m.r.Intn(5)]
	}
	code := uint32(row.Code)
	a, b := uint32(0), m.r.Uint32()
	switch row.Format {
	case isa.SOP2:
		a = 0x80000000 | code<<23 | destination<<16 | source()<<8 | source()
	case isa.SOP1:
		a = 0xbe800000 | destination<<16 | code<<8 | source()
	case isa.SOPC:
		a = 0xbf000000 | code<<16 | source()<<8 | source()
	case isa.SOPK:
		a = 0xb0000000 | code<<23 | destination<<16 | b&0xffff
	}
	return pack(a, b)
}

// readScalar returns source i, at the width of its slot.
func (s *state) readScalar(in *isa.Inst, i int) uint64 {
	r, words := in.Src[i], int(in.Op.Slots[i].Words)
	if r == isa.RegNone {
		return 0
	}
	t := typeInt
	x, _ := s.read(in, i, 0, t)
	if words < 2 {
		x &= 0xffffffff
	}
	return x
}

func TestScalarSemantics(t *testing.T) {
	m := newMachine(t)
	all := scalarOracles()
	for _, row := range isa.Opcodes() {
		want := all[row.Name]
		if want == nil {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			m.t = t
			for range 16 * rounds {
				m.checkScalar(row, want)
			}
			covers(row.Name)
		})
	}
}

func (m *machine) drawScalar(row *isa.Opcode) ([]byte, *isa.Inst) {
	for range 1000 {
		code := m.encodeScalar(row)
		if in, err := isa.Decode(code); err == nil && in.Op == row {
			return code[:in.Size], &in
		}
	}
	m.t.Fatalf("%s: no random instruction decodes", row.Name)
	return nil, nil
}

func (m *machine) checkScalar(row *isa.Opcode, want scalarOracle) {
	code, in := m.drawScalar(row)
	for i := range m.w.S {
		m.w.S[i] = uint32(m.random(typeInt))
	}
	if m.r.Intn(2) == 0 { // equal operands, and 64-bit values that matter as a whole
		for i := 0; i < 126; i += 2 {
			x := m.random(typeInt)
			m.w.S[i], m.w.S[i+1] = uint32(x), uint32(x>>32)
		}
	}
	m.w.SCC = m.r.Intn(2) == 0
	before := m.state()
	s := &scalarSources{a: before.readScalar(in, 0), b: before.readScalar(in, 1), k: int64(int16(in.SImm16)), scc: before.SCC,
		exec: uint64(before.S[126]) | uint64(before.S[127])<<32}
	if in.Dst < 128 {
		s.old = uint64(before.S[in.Dst])
		if row.DstWords == 2 {
			s.old |= uint64(before.S[in.Dst+1]) << 32
		}
	}
	r := want(s)
	wantS := before.S
	if !r.none && in.Dst < 128 {
		wantS[in.Dst] = uint32(r.d)
		if row.DstWords == 2 {
			wantS[in.Dst+1] = uint32(r.d >> 32)
		}
	}
	if strings.Contains(row.Name, "saveexec") {
		wantS[126], wantS[127] = uint32(r.exec), uint32(r.exec>>32)
	}
	op := m.bind(code)
	m.w.PC = 0
	op.Execute(m.w, op)
	if m.w.Fault != nil || m.w.PC != op.Next {
		m.t.Fatalf("% x %s: fault %v, PC %d", code, in.Text(), m.w.Fault, m.w.PC)
	}
	for i := range wantS {
		if m.w.S[i] != wantS[i] {
			m.t.Fatalf("% x %s: a = 0x%x, b = 0x%x, old = 0x%x, SCC %v: expected s%d = 0x%x, got 0x%x", code, in.Text(), s.a, s.b, s.old, s.scc, i, wantS[i], m.w.S[i])
		}
	}
	if m.w.SCC != r.scc {
		m.t.Fatalf("% x %s: a = 0x%x, b = 0x%x, old = 0x%x, SCC %v: expected SCC %v", code, in.Text(), s.a, s.b, s.old, s.scc, r.scc)
	}
}
