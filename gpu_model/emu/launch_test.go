package emu

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

func testMemory(t testing.TB) *memory.Memory {
	t.Helper()
	m, err := memory.New(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func testKernel() *codeobject.Kernel {
	return &codeobject.Kernel{Name: "k", AllocatedVGPRs: 8, AllocatedSGPRs: 32, KernargBytes: 16}
}

// TestInitialRegisters tries every combination of the header's enable bits; the expected register of every value is counted here after the
// table of LLVM's user guide.
func TestInitialRegisters(t *testing.T) {
	m := testMemory(t)
	for combination := range uint32(3 << 15) {
		k := testKernel()
		k.PrivateBytes = combination % 5 / 2 * 40
		rest := combination
		coin := func() bool {
			bit := rest&1 != 0
			rest >>= 1
			return bit
		}
		e := &k.Enable
		e.PrivateSegmentBuffer, e.DispatchPtr, e.QueuePtr, e.KernargPtr, e.DispatchID = coin(), coin(), coin(), coin(), coin()
		e.FlatScratchInit, e.PrivateSegmentSize = coin(), coin()
		e.GridWorkgroupCount = [3]bool{coin(), coin(), coin()}
		e.WorkgroupID = [3]bool{coin(), coin(), coin()}
		e.WorkgroupInfo, e.ScratchWaveOffset = coin(), coin()
		e.WorkitemID = uint8(rest)
		l := &Launch{}
		var users []func() uint32 // values of the user SGPRs in order
		pair := func(on bool, x func() uint64) {
			if on {
				users = append(users, func() uint32 { return uint32(x()) }, func() uint32 { return uint32(x() >> 32) })
			}
		}
		if e.PrivateSegmentBuffer {
			for i := range 4 {
				users = append(users, func() uint32 { return l.scratch.descriptor()[i] })
			}
		}
		pair(e.DispatchPtr, func() uint64 { return l.PacketAddress })
		pair(e.QueuePtr, func() uint64 { return l.QueueAddress })
		pair(e.KernargPtr, func() uint64 { return l.KernargAddress })
		pair(e.DispatchID, func() uint64 { return 0x1234567890 })
		pair(e.FlatScratchInit, func() uint64 { return uint64(k.PrivateBytes) << 32 })
		if e.PrivateSegmentSize {
			users = append(users, func() uint32 { return k.PrivateBytes })
		}
		groups := [3]uint32{3, 2, 2}
		for d, on := range e.GridWorkgroupCount {
			if on {
				users = append(users, func() uint32 { return groups[d] })
			}
		}
		users = users[:min(len(users), 16)] // the hardware loads at most 16
		e.UserSGPRs = uint8(len(users))

		l, err := NewLaunch(LaunchSpec{Kernel: k, Program: &Program{Name: "k"}, Memory: m, Grid: []uint32{20, 14, 6},
			GroupSize: []uint32{8, 8, 3}, DispatchID: 0x1234567890})
		if err != nil {
			t.Fatal(err)
		}
		id := [3]uint32{2, 1, 1} // a partial group: 4 × 6 × 3 work-items
		g, err := l.NewGroup(id, 11)
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Waves) != 2 {
			t.Fatalf("expected 72 work-items in 2 wavefronts, got %d", len(g.Waves))
		}
		for i, w := range g.Waves {
			next := 0
			for _, x := range users {
				if w.S[next] != x() {
					t.Fatalf("%+v: s%d: expected 0x%x, got 0x%x", *e, next, x(), w.S[next])
				}
				next++
			}
			system := func(on bool, name string, x uint32) {
				if !on {
					return
				}
				if w.S[next] != x {
					t.Fatalf("%+v: %s in s%d: expected 0x%x, got 0x%x", *e, name, next, x, w.S[next])
				}
				next++
			}
			for d, on := range e.WorkgroupID {
				system(on, fmt.Sprintf("work-group id %d", d), id[d])
			}
			system(e.WorkgroupInfo, "work-group info", uint32(2|(1-i)<<31))
			system(e.ScratchWaveOffset, "scratch wave offset", uint32(uint64(i)*l.scratch.waveBytes))
			checkWorkItems(t, w, i, e.WorkitemID)
		}
		l.Release(g)
		l.Close()
	}
}

// checkWorkItems checks EXEC and the work-item ids of wavefront i of a 4 × 6 × 3 group.
func checkWorkItems(t *testing.T, w *Wavefront, i int, ids uint8) {
	t.Helper()
	want := ^uint64(0)
	if i == 1 {
		want = 0xff
	}
	if w.Exec() != want {
		t.Fatalf("wavefront %d: expected EXEC 0x%x, got 0x%x", i, want, w.Exec())
	}
	lane := 0
	for z := range uint32(3) {
		for y := range uint32(6) {
			for x := range uint32(4) {
				n := lane - 64*i
				lane++
				if n < 0 || n > 63 {
					continue
				}
				for d, id := range [3]uint32{x, y, z} {
					if d > int(ids) {
						id = 0
					}
					if got := w.V[d*64+n]; got != id {
						t.Fatalf("wavefront %d, lane %d: expected v%d = %d, got %d", i, n, d, id, got)
					}
				}
			}
		}
	}
}

// TestDispatchPacketAndQueue reads back what kernels read through the pointers.
func TestDispatchPacketAndQueue(t *testing.T) {
	m := testMemory(t)
	k := testKernel()
	k.LDSBytes, k.PrivateBytes = 100, 8
	l, err := NewLaunch(LaunchSpec{Kernel: k, Program: &Program{Name: "k", Base: 0x5000}, Memory: m, Grid: []uint32{1000, 7}, GroupSize: []uint32{64, 2},
		DynamicLDS: 28, Arguments: []byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 64)
	if err := m.Read(l.PacketAddress, p); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	for name, c := range map[string][2]uint64{
		"type": {uint64(le.Uint16(p)), 2}, "dimensions": {uint64(le.Uint16(p[2:])), 2},
		"work-group x": {uint64(le.Uint16(p[4:])), 64}, "work-group y": {uint64(le.Uint16(p[6:])), 2}, "work-group z": {uint64(le.Uint16(p[8:])), 1},
		"grid x": {uint64(le.Uint32(p[12:])), 1000}, "grid y": {uint64(le.Uint32(p[16:])), 7}, "grid z": {uint64(le.Uint32(p[20:])), 1},
		"private bytes": {uint64(le.Uint32(p[24:])), 8}, "group bytes": {uint64(le.Uint32(p[28:])), 128},
		"kernel object": {le.Uint64(p[32:]), 0x5000}, "kernel arguments": {le.Uint64(p[40:]), l.KernargAddress},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: expected %d, got %d", name, c[1], c[0])
		}
	}
	q := make([]byte, 8)
	if err := m.Read(l.QueueAddress+0x40, q); err != nil {
		t.Fatal(err)
	}
	if le.Uint32(q) != localApertureHigh || le.Uint32(q[4:]) != privateApertureHigh {
		t.Errorf("expected the apertures in the queue, got % x", q)
	}
	arguments := make([]byte, 16)
	if err := m.Read(l.KernargAddress, arguments); err != nil {
		t.Fatal(err)
	}
	if string(arguments) != "\x01\x02\x03"+strings.Repeat("\x00", 13) {
		t.Errorf("expected the arguments padded with zeros, got % x", arguments)
	}
}

// TestHiddenArguments checks the block of code object v5 and the offsets of earlier versions.
func TestHiddenArguments(t *testing.T) {
	kinds := map[string]uint64{"hidden_block_count_x": 3, "hidden_block_count_y": 1, "hidden_block_count_z": 1, "hidden_group_size_x": 16,
		"hidden_group_size_y": 4, "hidden_group_size_z": 1, "hidden_remainder_x": 2, "hidden_remainder_y": 3, "hidden_remainder_z": 0,
		"hidden_global_offset_x": 1 << 40, "hidden_global_offset_y": 5, "hidden_global_offset_z": 0, "hidden_grid_dims": 2,
		"hidden_private_base": privateApertureHigh, "hidden_shared_base": localApertureHigh, "hidden_printf_buffer": 0, "hidden_hostcall_buffer": 0,
		"hidden_none": 0, "hidden_dynamic_lds_size": 64}
	k := testKernel()
	want := map[uint32]uint64{}
	at := uint32(24)
	for kind, x := range kinds {
		k.Arguments = append(k.Arguments, codeobject.Argument{Kind: kind, Offset: at, Size: 8})
		want[at] = x
		at += 8
	}
	k.KernargBytes = at
	m := testMemory(t)
	l, err := NewLaunch(LaunchSpec{Kernel: k, Program: &Program{Name: "k"}, Memory: m, Grid: []uint32{50, 7}, GroupSize: []uint32{16, 4},
		GlobalOffset: []uint64{1 << 40, 5}, DynamicLDS: 64})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range k.Arguments {
		b := make([]byte, 8)
		if err := m.Read(l.KernargAddress+uint64(a.Offset), b); err != nil {
			t.Fatal(err)
		}
		if got := binary.LittleEndian.Uint64(b); got != want[a.Offset] {
			t.Errorf("%s: expected %d, got %d", a.Kind, want[a.Offset], got)
		}
	}
}

// TestReuse checks that a work-group used again starts like a new one, without allocating.
func TestReuse(t *testing.T) {
	k := testKernel()
	k.LDSBytes, k.PrivateBytes, k.Enable.ScratchWaveOffset = 64, 16, true
	m := testMemory(t)
	l, err := NewLaunch(LaunchSpec{Kernel: k, Program: &Program{Name: "k"}, Memory: m, Grid: []uint32{1 << 20}, GroupSize: []uint32{256}})
	if err != nil {
		t.Fatal(err)
	}
	spoil := func() {
		g, err := l.NewGroup([3]uint32{1, 0, 0}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range g.Waves {
			if w.SCC || w.PC != 0 || w.Ended || w.Fault != nil || w.V[128] != 0 || g.LDS[0] != byte(9*min(w.IndexInGroup, 1)) {
				t.Fatal("a reused work-group is not fresh")
			}
			b, err := m.Bytes(l.scratch.base+uint64(w.scratchSlot)*l.scratch.waveBytes, 4)
			if err != nil || b[0] != 0 {
				t.Fatalf("private memory is not fresh: %v, %v", b, err)
			}
			b[0] = 1
			w.SCC, w.PC, w.Ended, w.V[128], g.LDS[0] = true, 7, true, 9, 9
			w.Fault = &Fault{}
		}
		l.Release(g)
	}
	spoil()
	if n := testing.AllocsPerRun(20, spoil); n > 4 {
		t.Errorf("expected no allocation beyond the test's own, got %v a round", n)
	}
}

func TestLaunchRefusals(t *testing.T) {
	m := testMemory(t)
	for _, c := range []struct {
		change func(k *codeobject.Kernel, s *LaunchSpec)
		want   string
	}{
		{func(_ *codeobject.Kernel, s *LaunchSpec) { s.Grid = nil }, "expected a grid and a work-group of the same 1 to 3 dimensions, got 0 and 1"},
		{func(_ *codeobject.Kernel, s *LaunchSpec) { s.Grid = []uint32{0} }, "must have at least one work-item"},
		{func(_ *codeobject.Kernel, s *LaunchSpec) { s.GroupSize = []uint32{1025} }, "has 1025 work-items, and the kernel was compiled for at most 1024"},
		{func(k *codeobject.Kernel, s *LaunchSpec) { k.MaxWorkgroup, s.GroupSize = 256, []uint32{257} }, "has 257 work-items, and the kernel was compiled for at most 256"},
		{func(k *codeobject.Kernel, _ *LaunchSpec) { k.ReqdWorkgroup = [3]uint32{16, 4, 1} }, "expected work-groups of [16 4 1] work-items (reqd_work_group_size), got [64]"},
		{func(k *codeobject.Kernel, s *LaunchSpec) { k.LDSBytes, s.DynamicLDS = 65000, 1000 }, "a work-group needs 66000 bytes of local memory (65000 static, 1000 dynamic); a compute unit has 65536"},
		{func(k *codeobject.Kernel, s *LaunchSpec) { k.PrivateBytes = 1<<32 - 1 }, "needs 4294967295 bytes of private memory; the hardware gives at most 131056"},
		{func(k *codeobject.Kernel, s *LaunchSpec) { k.AllocatedVGPRs, s.GroupSize = 256, []uint32{320} }, "5 wavefronts with 256 vector registers each does not fit a compute unit, which holds 4"},
		{func(k *codeobject.Kernel, s *LaunchSpec) { k.AllocatedSGPRs, s.GroupSize = 208, []uint32{1024} }, "needs 3328 scalar registers; a compute unit has 3200"},
		{func(_ *codeobject.Kernel, s *LaunchSpec) { s.Arguments = make([]byte, 17) }, "expected at most 16 bytes of arguments, got 17"},
		{func(_ *codeobject.Kernel, s *LaunchSpec) {
			s.Grid, s.GroupSize = []uint32{1 << 31, 1 << 31, 1 << 31}, []uint32{1, 1, 1}
		}, "more than 2^40 work-groups"},
	} {
		k := testKernel()
		s := LaunchSpec{Kernel: k, Program: &Program{}, Memory: m, Grid: []uint32{64}, GroupSize: []uint32{64}}
		c.change(k, &s)
		_, err := NewLaunch(s)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `kernel "k": `) {
			t.Errorf("expected an error with %q, got %v", c.want, err)
		}
	}
}
