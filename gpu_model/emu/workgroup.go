package emu

// NewGroup makes the n-th work-group ready to run: wavefronts, registers and local memory as the hardware hands them to the kernel.
// sequence is its place in dispatch order. Release gives it back for reuse.
func (l *Launch) NewGroup(id [3]uint32, sequence uint64) (*WorkGroup, error) {
	g, err := l.TakeGroup(id, sequence, &l.pool)
	if err != nil {
		return nil, err
	}
	if g.workspace == nil {
		g.workspace = new(Workspace)
	}
	g.Start(g.workspace)
	return g, nil
}

// TakeGroup does the part of NewGroup whose outcome depends on the order of calls; Start does the rest. The work-group's state comes from p,
// which no other launch may use at the same time, and goes back there with Release.
func (l *Launch) TakeGroup(id [3]uint32, sequence uint64, p *Pool) (*WorkGroup, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.openScratch(); err != nil {
		return nil, err
	}
	_, items := l.partialSize(id)
	g := p.take((items+63)/64, int(l.LDSBytes()))
	g.ID, g.Sequence, g.launch, g.pool, g.scratch = id, sequence, l, p, l.scratch.waveBytes != 0
	if !g.scratch {
		return g, nil // its wavefronts' state is left to Start, on the host thread that simulates them
	}
	for i, w := range g.Waves {
		slot, err := l.takeScratch()
		if err != nil {
			for _, v := range g.Waves[:i] {
				l.giveScratch(v.scratchSlot)
			}
			return nil, err
		}
		w.scratchSlot = slot
	}
	return g, nil
}

// Start puts the registers and the local memory of a work-group that TakeGroup returned into the state of its first instruction. Its
// wavefronts use workspace, alone or in turn with others. Calls for different work-groups may run at the same time.
func (g *WorkGroup) Start(workspace *Workspace) {
	l := g.launch
	clear(g.LDS)
	g.AtBarrier, g.Running = 0, len(g.Waves)
	size, items := l.partialSize(g.ID)
	registers := int(l.Kernel.AllocatedVGPRs) * 64
	for i, w := range g.Waves {
		if !g.scratch {
			w.scratchSlot = -1
		}
		w.Program, w.Launch, w.Group, w.IndexInGroup, w.Workspace = l.Program, l, g, i, workspace
		if cap(w.V) < registers {
			l.mu.Lock()
			w.V = g.pool.registers(registers)
			l.mu.Unlock()
		}
		w.V = w.V[:registers]
		l.initialise(w, size, items)
	}
}

// Release gives a work-group that has ended back for reuse.
func (l *Launch) Release(g *WorkGroup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.scratch {
		for _, w := range g.Waves {
			l.giveScratch(w.scratchSlot)
		}
	}
	g.pool.give(g)
}

// partialSize returns the work-items of work-group id in every dimension, fewer at the grid's edge, and their number.
func (l *Launch) partialSize(id [3]uint32) (size [3]uint32, items int) {
	items = 1
	for d := range 3 {
		size[d] = uint32(min(uint64(l.GroupSize[d]), uint64(l.Grid[d])-uint64(id[d])*uint64(l.GroupSize[d])))
		items *= int(size[d])
	}
	return size, items
}

// initialise puts a wavefront into the state of its first instruction (source: LLVM, AMDGPU user guide, Initial Kernel Execution State).
// Registers that the hardware leaves undefined are 0.
func (l *Launch) initialise(w *Wavefront, size [3]uint32, items int) {
	clear(w.S[:])
	clear(w.V[:len(w.V)-64*l.Program.idle])
	w.SCC, w.Ended, w.AtBarrier, w.Fault = false, false, false, nil
	w.Now = l.Now
	w.Executed, w.TrapStatus, w.GPRIndex = 0, 0, GPRIndexMode{}
	w.Slot = HardwareSlot{}
	w.PC = l.Program.Entry
	w.Mode = Mode(l.Kernel.Mode())
	w.waveSync = 0

	first := w.IndexInGroup * 64
	lanes := min(64, items-first)
	w.SetExec(^uint64(0) >> (64 - uint(lanes)))
	l.setScalars(w)

	// Work-items are numbered x fastest within the group's actual size.
	e, n := &l.Kernel.Enable, uint32(first)
	x, y, z := n%size[0], n/size[0]%size[1], n/size[0]/size[1]
	for lane := range lanes {
		w.V[lane] = x
		if e.WorkitemID >= 1 {
			w.V[64+lane] = y
		}
		if e.WorkitemID >= 2 {
			w.V[128+lane] = z
		}
		if x++; x == size[0] {
			x = 0
			if y++; y == size[1] {
				y = 0
				z++
			}
		}
	}
}

// setScalars fills the SGPRs that the kernel's header enables, in the order of the ABI.
func (l *Launch) setScalars(w *Wavefront) {
	e, next := &l.Kernel.Enable, 0
	user := func(values ...uint32) {
		for _, v := range values {
			if next < int(e.UserSGPRs) {
				w.S[next] = v
			}
			next++
		}
	}
	address := func(on bool, v uint64) {
		if on {
			user(uint32(v), uint32(v>>32))
		}
	}
	s := &l.scratch
	waveOffset := uint64(max(w.scratchSlot, 0)) * s.waveBytes
	if e.PrivateSegmentBuffer {
		d := s.descriptor()
		user(d[0], d[1], d[2], d[3])
	}
	address(e.DispatchPtr, l.PacketAddress)
	address(e.QueuePtr, l.QueueAddress)
	address(e.KernargPtr, l.KernargAddress)
	address(e.DispatchID, l.DispatchID)
	if e.FlatScratchInit {
		user(0, s.laneBytes) // the launch's scratch begins at the hidden private base
	}
	if e.PrivateSegmentSize {
		user(s.laneBytes)
	}
	for d, on := range e.GridWorkgroupCount {
		if on {
			user(l.groupCount[d])
		}
	}

	next = int(e.UserSGPRs)
	system := func(on bool, v uint32) {
		if on {
			w.S[next] = v
			next++
		}
	}
	for d, on := range e.WorkgroupID {
		system(on, w.Group.ID[d])
	}
	info := uint32(len(w.Group.Waves))
	if w.IndexInGroup == 0 {
		info |= 1 << 31 // first wavefront of the group
	}
	system(e.WorkgroupInfo, info)
	system(e.ScratchWaveOffset, uint32(waveOffset))
}
