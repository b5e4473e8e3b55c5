package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"

// controller is the memory controller behind one L2 bank. Accesses come in the order in which the bank sends them.
type controller struct {
	spec     *gpuconfig.DRAM
	counters DRAMCounters
	access   func(c *controller, at, line uint64, write bool) uint64

	// Ideal DRAM.
	slot  uint64 // cycle in which the latest access began
	count int    // accesses begun in it

	// Banked DRAM. Bus times are in 1/64 cycle, so that any width is exact enough.
	bus      uint64
	transfer uint64
	rows     []dramRow
	rowShift uint
	refresh  uint64 // next refresh
}

type dramRow struct {
	open      uint64 // row number + 1; 0: closed
	free      uint64 // cycle from which a column command may go to the open row
	precharge uint64 // earliest precharge
}

func newController(spec *gpuconfig.DRAM, banks int) controller {
	c := controller{spec: spec, access: (*controller).ideal}
	if spec.Kind == "banked" {
		c.access = (*controller).banked
		c.transfer = max(1, uint64(64*lineBytes*float64(banks)/spec.BytesPerCycle+0.5))
		c.rows = make([]dramRow, spec.Banks)
		c.rowShift = log2(spec.RowBytes / lineBytes)
		c.refresh = uint64(spec.REFI)
	}
	return c
}

// closeRows leaves no row open.
func (c *controller) closeRows() {
	for i := range c.rows {
		c.rows[i].open = 0
	}
}

// read times the reading of a line requested at cycle at and returns when its data is at the L2 bank.
func (c *controller) read(at, line uint64) uint64 {
	done := c.access(c, at, line, false)
	c.counters.ReadTransactions++
	c.counters.ReadBytes += lineBytes
	c.counters.ReadLatencySum += done - at
	return done
}

// write times a write-back and returns when the controller acknowledges it.
func (c *controller) write(at, line uint64) uint64 {
	done := c.access(c, at, line, true)
	c.counters.WriteTransactions++
	c.counters.WriteBytes += lineBytes
	c.counters.WriteLatencySum += done - at
	return done
}

// ideal begins a fixed number of accesses a cycle, each of fixed latency.
func (c *controller) ideal(at, _ uint64, _ bool) uint64 {
	switch {
	case at > c.slot:
		c.slot, c.count = at, 1
	case c.count < c.spec.RequestsPerCycle:
		c.count++
	default:
		c.slot, c.count = c.slot+1, 1
	}
	return c.slot + uint64(c.spec.Latency)
}

// banked opens rows in order of arrival and shares one data bus among the banks of the channel. line is the number of the line
// within the controller's part of the address space, so that neighbouring lines share a row.
func (c *controller) banked(at, line uint64, write bool) uint64 {
	d := c.spec
	start := at + uint64(d.Overhead)/2
	for d.REFI != 0 && start >= c.refresh {
		// All banks close for a refresh.
		end := c.refresh + uint64(d.RFC)
		for i := range c.rows {
			c.rows[i].open = 0
			c.rows[i].free = max(c.rows[i].free, end)
		}
		c.refresh += uint64(d.REFI)
	}
	number := line >> c.rowShift
	b := &c.rows[number%uint64(len(c.rows))]
	row := number/uint64(len(c.rows)) + 1
	if b.open != row {
		activate := max(start, b.free)
		if b.open != 0 {
			activate = max(activate, b.precharge) + uint64(d.RP)
		}
		b.open = row
		b.free = activate + uint64(d.RCD)
		b.precharge = activate + uint64(d.RAS)
	}
	column := max(start, b.free)
	data := max((column+uint64(d.CL))*64, c.bus)
	c.bus = data + c.transfer
	done := (c.bus + 63) / 64
	b.free = max(b.free, data/64-uint64(d.CL)) // the next column command follows on the bus, not sooner
	recovery := done
	if write {
		recovery += uint64(d.WR)
	}
	b.precharge = max(b.precharge, recovery)
	return done + uint64(d.Overhead+1)/2
}
