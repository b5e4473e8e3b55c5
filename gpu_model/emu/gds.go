package emu

import (
	"fmt"
	"math/bits"
	"strings"
	"sync"
)

// gdsBytes is the size of the global data share (source: GCN3 ISA manual, Global Data Share).
const gdsBytes = 64 << 10

// globalDataShare is the memory and the semaphores that all wavefronts of a launch share. Its contents are 0 when the launch begins.
type globalDataShare struct {
	mu     sync.Mutex
	memory [gdsBytes]byte
	wave   [64]waveSync
}

// waveSync is one resource of global wave sync: a barrier or a semaphore.
type waveSync struct {
	count   uint32 // wavefronts a barrier waits for besides the last, or the semaphore's value
	arrived uint32
	phase   uint64 // barriers passed
}

func (l *Launch) globalDataShare() *globalDataShare {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gds == nil {
		l.gds = &globalDataShare{}
	}
	return l.gds
}

// bindGDS resolves instructions on the global data share. Memory instructions run as on the LDS, on the part of the GDS that M0 allots: base in
// bits 31–16, bytes in bits 15–0.
func bindGDS(op *Op, m *memOp) error {
	name := strings.TrimPrefix(op.Inst.Op.Name, "ds_")
	if strings.HasPrefix(name, "gws_") {
		return bindWaveSync(op, m, name)
	}
	if name == "ordered_count" {
		return bindOrderedCount(op, m)
	}
	in := op.Inst
	in.Mem.Gds = false
	onLDS := Op{Inst: in, mem: m}
	if err := bindDS(&onLDS, m); err != nil {
		return err
	}
	inner := onLDS.Execute
	counter := name == "append" || name == "consume" // their counter lies at M0's base plus the offset
	op.Execute = func(w *Wavefront, op *Op) {
		g := w.Launch.globalDataShare()
		g.mu.Lock()
		defer g.mu.Unlock()
		m0, lds := w.S[124], w.Group.LDS
		base := m0 >> 16
		w.Group.LDS = g.memory[base:min(base+m0&0xffff, gdsBytes)]
		if counter {
			w.Group.LDS, w.S[124] = g.memory[base:], 0
		}
		inner(w, op)
		w.Group.LDS, w.S[124] = lds, m0
	}
	return nil
}

// bindWaveSync resolves ds_gws_*. A wavefront that has to wait executes the instruction again.
func bindWaveSync(op *Op, m *memOp, name string) (err error) {
	kind := strings.TrimPrefix(name, "gws_")
	needsData := kind == "init" || kind == "barrier" || kind == "sema_br"
	if needsData {
		data := op.Inst.Mem.Data
		if !data.IsVGPR() {
			data = op.Inst.Mem.Addr
		}
		if m.data, err = m.vector("data0", data, 1); err != nil {
			return err
		}
	}
	step, ok := waveSyncSteps[kind]
	if !ok {
		return fmt.Errorf("ds_%s is not an instruction of this machine", name)
	}
	op.Execute = func(w *Wavefront, op *Op) {
		g := w.Launch.globalDataShare()
		g.mu.Lock()
		defer g.mu.Unlock()
		value := uint32(0)
		if needsData {
			value = w.V[m.data*64+bits.TrailingZeros64(w.Exec()|1<<63)]
		}
		if step(w, &g.wave[(m.offset+w.S[124]>>16)&63], value) {
			w.waveSync = 0
			w.PC = op.Next
		}
	}
	return nil
}

// waveSyncSteps carry out one attempt; false means that the wavefront waits.
var waveSyncSteps = map[string]func(w *Wavefront, r *waveSync, value uint32) bool{
	"init": func(_ *Wavefront, r *waveSync, value uint32) bool { *r = waveSync{count: value}; return true },
	"barrier": func(w *Wavefront, r *waveSync, value uint32) bool {
		if w.waveSync == 0 { // arrive
			if r.arrived++; r.arrived > value {
				r.arrived = 0
				r.phase++
				return true
			}
			w.waveSync = r.phase + 1
			return false
		}
		return r.phase+1 != w.waveSync
	},
	"sema_v":  func(_ *Wavefront, r *waveSync, _ uint32) bool { r.count++; return true },
	"sema_br": func(_ *Wavefront, r *waveSync, value uint32) bool { r.count += value; return true },
	"sema_p": func(_ *Wavefront, r *waveSync, _ uint32) bool {
		if r.count == 0 {
			return false
		}
		r.count--
		return true
	},
	"sema_release_all": func(_ *Wavefront, r *waveSync, _ uint32) bool { r.count = 1<<32 - 1; return true },
}

// bindOrderedCount resolves ds_ordered_count: add or exchange on a counter, in the order of dispatch. Work-groups that run in that order need no waiting.
func bindOrderedCount(op *Op, m *memOp) (err error) {
	m.offset = op.Inst.Mem.Offset
	if m.address, err = m.vector("addr", op.Inst.Mem.Addr, 1); err != nil {
		return err
	}
	if m.dst, err = m.vector("vdst", op.Inst.Dst, 1); err != nil {
		return err
	}
	m.atomic = atomicFor("add", 32)
	if m.offset>>12&3 == 1 {
		m.atomic = atomicFor("swap", 32)
	}
	m.bytes = 4
	op.Execute = func(w *Wavefront, op *Op) {
		w.PC = op.Next
		exec := w.Exec()
		if exec == 0 {
			return
		}
		g := w.Launch.globalDataShare()
		g.mu.Lock()
		defer g.mu.Unlock()
		at := (w.S[124]>>16 + m.offset&0xfc) & (gdsBytes - 4)
		b := g.memory[at : at+4]
		old := m.get(b)
		m.put(b, m.atomic.apply(old, uint64(w.V[m.address*64+bits.TrailingZeros64(exec)]), 0))
		for ; exec != 0; exec &= exec - 1 {
			w.V[m.dst*64+bits.TrailingZeros64(exec)] = uint32(old)
		}
	}
	return nil
}
