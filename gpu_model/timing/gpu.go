package timing

import (
	"math/bits"
	"sync"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/hugepages"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// GPU is a simulated GPU whose caches, TLBs and clock persist from launch to launch. It is not safe for concurrent use.
type GPU struct {
	spec        gpuconfig.Spec
	mem         *memory.Memory
	lat         latencies
	picoseconds uint64 // per cycle
	now         uint64 // cycle
	window      uint64 // cycles of a window
	narrow      bool   // the L2 banks' ports to the L1 caches have a finite width
	launches    uint64 // since the caches were empty

	arrays []*shaderArray
	banks  []l2Bank
	mmu    mmu
	mail   []*mailbox // of the shader arrays, then of the units' engine
	engine mailbox
	due    set        // banks with requests that wait
	reply  uint64     // earliest answer of the latest window's banks, never if none
	told   outbox     // what the shader arrays of the latest window have in their out-boxes
	viewMu sync.Mutex // one load through a view at a time
	run    *run
	kept   run // the latest launch, whose lists the next one uses again
	tuner  tuner
	pools  []emu.Pool // by shader array: state of work-groups, which stays with the host thread that simulates the array
	turn   int        // compute unit that the dispatcher tries first

	rotation rotation

	bankShift, bankBits uint
	bankMask            uint64
}

// largePages makes room for the state of a GPU with all its wavefronts on large pages of the host, which it is swept through in every window:
// 16 MiB of vector registers, some 10 MiB of everything else, and what else the process allocates meanwhile.
var largePages = sync.OnceFunc(func() { hugepages.Heap(48 << 20) })

// New makes a cold GPU at cycle 0.
func New(spec gpuconfig.Spec, mem *memory.Memory) (*GPU, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	largePages()
	g := &GPU{spec: spec, mem: mem, lat: newLatencies(&spec), picoseconds: 1_000_000_000_000 / spec.ClockHz}
	g.bankShift = log2(spec.L2.InterleaveBytes / lineBytes)
	g.bankMask = uint64(spec.L2.Banks - 1)
	g.bankBits = uint(bits.Len64(g.bankMask))
	g.mmu = newMMU(&g.spec.L2TLB, g.spec.MMU, &g.spec.Core, g.lat.walk)
	timing := newL2Timing(&spec)
	g.window = timing.hit
	g.narrow = spec.Link.BytesPerCycleBank != 0
	g.rotation = newRotation(spec.Core.ShaderArrays, spec.Core.UnitsPerArray, spec.L2.Banks)
	g.banks = make([]l2Bank, spec.L2.Banks)
	for i := range g.banks {
		g.banks[i] = l2Bank{spec: &g.spec.L2, tags: newTags(spec.L2.BankBytes, spec.L2.Ways, 0), timing: timing,
			dram: newController(&g.spec.DRAM, spec.L2.Banks), local: g.localLine, bankHead: bankHead{due: never},
			inLink: newLink(spec.Link.BytesPerCycleBank, 0), outLink: newLink(spec.Link.BytesPerCycleBank, 0)}
	}
	for i := range spec.Core.ShaderArrays {
		g.arrays = append(g.arrays, newShaderArray(g, i))
	}
	g.pools = make([]emu.Pool, len(g.arrays))
	g.engine = newMailbox(spec.L2.Banks)
	g.due, _ = newSets(spec.L2.Banks)
	g.reply = never
	g.sortMail()
	return g, nil
}

// bankOf returns the L2 bank of a line.
func (g *GPU) bankOf(line uint64) int { return int(line >> g.bankShift & g.bankMask) }

// localLine numbers the lines of one bank consecutively.
func (g *GPU) localLine(line uint64) uint64 {
	return line>>(g.bankShift+g.bankBits)<<g.bankShift | line&(1<<g.bankShift-1)
}

func (g *GPU) unitCount() int { return len(g.arrays) * g.spec.Core.UnitsPerArray }

// Now returns the cycle of the GPU clock.
func (g *GPU) Now() uint64 { return g.now }

// Advance moves the clock forward, for what happens outside launches (copies, register reads).
func (g *GPU) Advance(cycles uint64) { g.now += cycles }

// sortMail lists the mailboxes in the order in which simultaneous requests are carried out.
func (g *GPU) sortMail() {
	g.mail = g.mail[:0]
	for _, a := range g.arrays {
		g.mail = append(g.mail, &a.mailbox)
	}
	g.mail = append(g.mail, &g.engine)
	for i, m := range g.mail {
		m.index = i
	}
	clear(g.due)
	g.told = 0
	for i := range g.banks {
		b := &g.banks[i]
		b.due = never
		b.senders, b.answered = newSets(len(g.mail))
		g.engine.posted.add(i)
	}
}

// takePosts tells the banks that the mailbox's owner has posted requests for them.
func (g *GPU) takePosts(m *mailbox) {
	for w, word := range m.posted {
		m.posted[w] = 0
		for ; word != 0; word &= word - 1 {
			i := 64*w + bits.TrailingZeros64(word)
			b := &g.banks[i]
			b.senders.add(m.index)
			if b.due = min(b.due, m.banks[i].next); b.due != never {
				g.due.add(i)
			}
		}
	}
}

// tellAnswers tells the mailboxes for which a bank has answers.
func (g *GPU) tellAnswers(bank int) {
	answered := g.banks[bank].answered
	for w, word := range answered {
		answered[w] = 0
		for ; word != 0; word &= word - 1 {
			g.mail[64*w+bits.TrailingZeros64(word)].answered.add(bank)
		}
	}
}

// Cool empties all caches and TLBs and closes the rows of the DRAM, as Options.Cold does for one launch. Memory holds every store already,
// so nothing is lost. The dispatcher begins with the first compute unit again: the next launch takes as long as a new GPU's first. It must
// not be called during a launch.
func (g *GPU) Cool() {
	for _, a := range g.arrays {
		a.cool()
	}
	g.sortMail()
	g.mmu.cool()
	g.rotation.cool()
	for i := range g.banks {
		b := &g.banks[i]
		b.marks = workMarks{}
		b.tags.clear()
		b.dram.cool()
		b.mshrs, b.out, b.next = b.mshrs[:0], writeBuffer{}, 0
	}
	for i := range g.kept.d.rooms {
		g.kept.d.rooms[i].next = 0
	}
	g.launches, g.turn = 0, 0
}

// Invalidate drops the lines of [address, address+bytes) from the L1 caches: what a compacted view showed there is no longer valid. It
// must not be called during a launch.
func (g *GPU) Invalidate(address, bytes uint64) {
	drop := func(t *tags) {
		for i := range t.lines {
			if at := t.lines[i].line << lineShift; t.lines[i].line != noLine && at+lineBytes > address && at < address+bytes {
				t.drop(i)
			}
		}
	}
	for _, a := range g.arrays {
		drop(&a.l1s)
		for i := range a.units {
			drop(&a.units[i].l1v)
		}
	}
}
