package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/upstream"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/platform"
)

// Measure tries all uses of all instructions whose name contains one of the parts, which commas separate, and reports each.
func Measure(part string, report func(upstream.Row)) error {
	log.SetOutput(io.Discard) // upstream logs every panic of its own
	m := &machine{}
	for _, op := range isa.Opcodes() {
		wanted := false
		for _, p := range strings.Split(part, ",") {
			wanted = wanted || strings.Contains(op.Name, p)
		}
		if op.Refused() || !emu.Implements(op) || !wanted || skipped(op) {
			continue
		}
		bad := map[string]bool{} // encodings that are not executed: no modifier of theirs is tried
		for _, p := range all(op) {
			if bad[p.use.Form] {
				continue
			}
			verdict, err := m.try(&p)
			if err != nil {
				return err
			}
			if p.use.Feature == "" {
				bad[p.use.Form] = strings.HasPrefix(verdict, "panics") || strings.HasPrefix(verdict, "never")
			}
			report(upstream.Row{Use: p.use, Verdict: verdict})
			if m.scc != "" && p.use.Feature == "" {
				report(upstream.Row{Use: upstream.Use{Name: p.use.Name, Form: p.use.Form, Feature: upstream.SCC}, Verdict: m.scc})
			}
		}
	}
	return nil
}

// skipped tells of instructions that a probe can't judge: their result depends on time or on the machine, or they leave the program.
func skipped(op *isa.Opcode) bool {
	switch op.Name {
	case "s_memtime", "s_memrealtime", "s_setpc_b64", "s_swappc_b64", "s_getpc_b64", "s_rfe_b64", "s_call_b64", "s_cbranch_g_fork", "s_cbranch_i_fork", "s_cbranch_join",
		"s_sethalt", "s_trap", "s_sleep", "s_endpgm", "s_endpgm_saved", "s_barrier", "s_waitcnt":
		return true
	}
	return op.Format == isa.SMEM && !strings.HasPrefix(op.Name, "s_load")
}

// machine is one GPU of upstream, replaced after each failure.
type machine struct {
	gpu    *platform.GPU
	mem    *memory.Memory
	in, to uint64
	loader emu.Loader
	scc    string // of the use tried last: how its SCC was wrong, where that alone was
}

func (m *machine) open() error {
	var err error
	if m.mem, err = memory.New(platform.Bytes); err != nil {
		return err
	}
	if m.gpu, err = platform.New(m.mem, platform.Options{Stuck: 3 * time.Second, AllowAll: true}); err != nil {
		return err
	}
	m.loader = emu.Loader{Memory: m.mem}
	if m.in, err = m.mem.Allocate(inputBytes, "input"); err != nil {
		return err
	}
	m.to, err = m.mem.Allocate(outputBytes, "output")
	return err
}

// rounds is how many launches a use gets, each on 64 lanes of random inputs.
const rounds = 2

// try returns the verdict on a use.
func (m *machine) try(p *probe) (verdict string, err error) {
	verdict, m.scc = upstream.Exact, ""
	for round := range rounds {
		got, err := m.launch(p, round)
		if err != nil {
			return "", err
		}
		if got != upstream.Exact {
			verdict = got
		}
		if got != upstream.Exact && got != upstream.Approximate {
			break
		}
	}
	return verdict, nil
}

func (m *machine) launch(p *probe, round int) (verdict string, err error) {
	if m.gpu == nil {
		if err := m.open(); err != nil {
			return "", err
		}
	}
	input, before := inputs(p, round), make([]byte, outputBytes)
	random := rand.New(rand.NewPCG(7, uint64(round)))
	for i := touchedBase; i < outputBytes; i++ {
		before[i] = byte(random.Uint32())
	}
	k := kernel(p.use.Name, build(p))
	program, err := m.loader.Load(k)
	if err != nil {
		return "", err
	}
	defer m.loader.Unload(program)
	run := func(execute func(*emu.Launch) error) ([]byte, error) {
		for address, content := range map[uint64][]byte{m.in: input, m.to: before} {
			if err := m.mem.Write(address, content); err != nil {
				return nil, err
			}
			m.gpu.HostWrote(address, uint64(len(content)))
		}
		arguments := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, m.in), m.to)
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: k, Memory: m.mem, Grid: []uint32{64}, GroupSize: []uint32{64}, Arguments: arguments})
		if err != nil {
			return nil, err
		}
		defer l.Close()
		if err := execute(l); err != nil {
			return nil, err
		}
		out := make([]byte, outputBytes)
		return out, m.mem.Read(m.to, out)
	}
	want, err := run(func(l *emu.Launch) error {
		_, err := emu.RunFunctional(context.Background(), l, 1)
		return err
	})
	if err != nil {
		return "not tried: " + firstClause(err), nil
	}
	got, err := run(func(l *emu.Launch) error {
		_, err := m.gpu.Execute(context.Background(), l)
		return err
	})
	if err != nil {
		var stopped *attach.PanicError
		switch {
		case errors.As(err, &stopped):
			return "panics: " + firstClause(fmt.Errorf("%v", stopped.Value)), nil
		case errors.As(err, new(*memory.AccessError)):
			return "touches other memory", nil
		}
		return "never ends", nil
	}
	return m.compare(p, want, got), nil
}

func firstClause(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 60 {
		text = text[:60] + "…"
	}
	return text
}

// compare judges a result.
func (m *machine) compare(p *probe, want, got []byte) string {
	verdict, words := upstream.Exact, uint32(0)
	for i := 0; i < len(want); i += 4 {
		w, g := binary.LittleEndian.Uint32(want[i:]), binary.LittleEndian.Uint32(got[i:])
		if w == g {
			continue
		}
		words++
		register := i / 256
		if p.float && register < 4 && near(p, want, got, i) {
			verdict = upstream.Approximate
			continue
		}
		if register == 8 && !strings.HasPrefix(p.use.Name, "s_cmp") {
			m.scc = fmt.Sprintf("wrong: expected %d, got %d", w, g)
			continue
		}
		where := fmt.Sprintf("register %d of the result", register)
		switch {
		case i >= touchedBase:
			where = "memory"
		case register == 8:
			where = "scc"
		case register == 9 || register == 10:
			where = "vcc"
		case register == 11:
			where = "exec"
		case register > 11:
			where = "LDS"
		case register > 3:
			where = fmt.Sprintf("scalar register %d of the result", register-4)
		}
		return fmt.Sprintf("wrong: %s, expected 0x%08x, got 0x%08x", where, w, g)
	}
	return verdict
}

// near tells whether two floating-point results agree to 2^-19 (f16: 2^-9).
func near(p *probe, want, got []byte, i int) bool {
	var w, g, limit float64
	switch {
	case strings.Contains(p.use.Name, "f64") && p.in.Op.DstWords == 2:
		low := i % 512
		w = math.Float64frombits(uint64(binary.LittleEndian.Uint32(want[low%256:])) | uint64(binary.LittleEndian.Uint32(want[low%256+256:]))<<32)
		g = math.Float64frombits(uint64(binary.LittleEndian.Uint32(got[low%256:])) | uint64(binary.LittleEndian.Uint32(got[low%256+256:]))<<32)
		limit = 1.0 / (1 << 19)
	case p.f16 && !strings.HasPrefix(p.use.Name, "v_cvt_f32"):
		return false
	default:
		w, g = float64(math.Float32frombits(binary.LittleEndian.Uint32(want[i:]))), float64(math.Float32frombits(binary.LittleEndian.Uint32(got[i:])))
		limit = 1.0 / (1 << 19)
	}
	if math.IsNaN(w) || math.IsNaN(g) {
		return math.IsNaN(w) && math.IsNaN(g)
	}
	return math.Abs(w-g) <= limit*math.Max(math.Abs(w), 1e-3)
}

// inputs are random bits, or ordinary numbers where the instruction computes with such.
func inputs(p *probe, round int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(round)))
	b := make([]byte, inputBytes)
	for i := 0; i < len(b); i += 4 {
		w := random.Uint32()
		if p.float || round == 1 && !p.float { // integers of the second round are small
			w = uint32(int32(w) >> 20)
		}
		switch {
		case p.f64: // the high half of a pair: registers of odd number
			if i/256%2 == 1 && i < scalarBase || i >= scalarBase && i/4%2 == 1 {
				w = uint32(math.Float64bits(ordinary(random)) >> 32)
			} else {
				w = random.Uint32()
			}
		case p.f16:
			w = uint32(half(random)) | uint32(half(random))<<16
			if strings.HasSuffix(p.use.Name, "f32") && strings.HasPrefix(p.use.Name, "v_cvt") {
				w = math.Float32bits(float32(ordinary(random)))
			}
		case p.float:
			w = math.Float32bits(float32(ordinary(random)))
		}
		switch {
		case strings.Contains(p.use.Name, "u24"):
			w &= 0xffffff
		case strings.Contains(p.use.Name, "i24"):
			w &= 0x7fffff
		}
		if shifts(p, i) {
			w &= 31
		}
		binary.LittleEndian.PutUint32(b[i:], w)
	}
	return b
}

// shifts tells whether the dword at an offset is a shift amount, which compilers keep below 32.
func shifts(p *probe, offset int) bool {
	name := p.use.Name
	if !strings.Contains(name, "shl") && !strings.Contains(name, "shr") {
		return false
	}
	vector, scalar := vSource1, sSource1
	if strings.Contains(name, "rev") {
		vector, scalar = vSource0, sSource0
	}
	return offset/256 == vector-8 && offset < scalarBase || offset == scalarBase+4*(scalar-16)
}

// ordinary returns a number from 2^-4 to 2^4, of either sign.
func ordinary(r *rand.Rand) float64 {
	x := math.Exp2(r.Float64()*8 - 4)
	if r.IntN(2) == 0 {
		return -x
	}
	return x
}

// half returns an ordinary f16.
func half(r *rand.Rand) uint16 { return uint16(r.IntN(2)<<15 | (11+r.IntN(8))<<10 | r.IntN(1024)) }
