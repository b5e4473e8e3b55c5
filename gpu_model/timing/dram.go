package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"

// controller is the memory controller behind one L2 bank. Accesses come in the order in which the bank sends them.
type controller struct {
	spec     *gpuconfig.DRAM
	counters DRAMCounters

	// Ideal DRAM.
	slot   uint64 // cycle in which the latest access began
	count  int    // accesses begun in it
	latest uint64 // cycle in which the latest read began that passed waiting write-backs

	// Banked DRAM: the channels that the controller drives, none for ideal DRAM. Lines go to them in turn.
	channels     []dramChannel
	channelShift uint
	rowShift     uint
}

func newController(spec *gpuconfig.DRAM, banks int) controller {
	c := controller{spec: spec}
	if spec.Kind != "banked" {
		return c
	}
	n := spec.Channels / banks
	c.channels = make([]dramChannel, n)
	c.channelShift = log2(n)
	c.rowShift = log2(spec.RowBytes / lineBytes)
	transfer := max(1, uint64(busUnit*lineBytes*float64(spec.Channels)/spec.BytesPerCycle+0.5))
	for i := range c.channels {
		c.channels[i] = dramChannel{spec: spec, transfer: transfer, rows: make([]dramBank, spec.Banks), refresh: uint64(spec.REFI)}
	}
	return c
}

// cool leaves nothing waiting and no row open.
func (c *controller) cool() {
	c.slot, c.count, c.latest = 0, 0, 0
	for i := range c.channels {
		c.channels[i].close()
	}
}

// read times the reading of a line requested at cycle at and returns when its data is at the L2 bank.
func (c *controller) read(at, line uint64) uint64 {
	var done uint64
	if len(c.channels) == 0 && c.slot > at+controllerQueue {
		done = c.passWrites(at)
	} else {
		done = c.access(at, line, false)
	}
	c.counters.ReadTransactions++
	c.counters.ReadBytes += lineBytes
	c.counters.ReadLatencySum += done - at
	return done
}

// controllerQueue is how many requests the ports between a bank and its ideal controller hold. Write-backs beyond wait in the bank's write
// buffer.
const controllerQueue = 48

// passWrites times a read that comes at cycle at, before the write-backs that wait in the bank: from there, both go in turn.
func (c *controller) passWrites(at uint64) uint64 {
	c.latest = max(at+controllerQueue, c.latest+2)
	c.slot = max(c.slot, c.latest) + 1
	return c.latest + uint64(c.spec.Latency)
}

// write times a write-back and returns when the controller acknowledges it.
func (c *controller) write(at, line uint64) uint64 {
	done := c.access(at, line, true)
	c.counters.WriteTransactions++
	c.counters.WriteBytes += lineBytes
	c.counters.WriteLatencySum += done - at
	return done
}

// access times one access. line is the number of the line within the controller's part of the address space.
func (c *controller) access(at, line uint64, write bool) uint64 {
	if len(c.channels) == 0 {
		return c.ideal(at)
	}
	d := c.spec
	channel := &c.channels[line&uint64(len(c.channels)-1)]
	row := line >> c.channelShift >> c.rowShift
	return channel.access(at+uint64(d.Overhead)/2, row, write, &c.counters) + uint64(d.Overhead+1)/2
}

// ideal begins a fixed number of accesses a cycle, each of fixed latency.
func (c *controller) ideal(at uint64) uint64 {
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

// busUnit is the fraction of a cycle in which bus times are kept, so that any width is exact enough.
const busUnit = 64

// dramChannel is one channel: banks that share a data bus and are refreshed together. Commands are served in order of arrival, rows
// stay open until another row of the bank is needed or the channel is refreshed.
type dramChannel struct {
	spec     *gpuconfig.DRAM
	transfer uint64 // of a line on the bus, in 1/busUnit cycle
	bus      uint64 // when the bus is free, in 1/busUnit cycle
	refresh  uint64 // cycle at which the next refresh is due
	rows     []dramBank
}

// dramBank is one bank with its row buffer. Times are cycles.
type dramBank struct {
	open      uint64 // row + 1; 0: none
	activate  uint64 // earliest activate, when no row is open
	column    uint64 // earliest column command to the open row
	precharge uint64 // earliest precharge of the open row
}

// access times an access to a row, whose command reaches the channel at cycle start, and returns when the last of its data has
// passed the bus. Rows are numbered over all banks: neighbouring rows lie in neighbouring banks.
func (c *dramChannel) access(start, number uint64, write bool, counters *DRAMCounters) uint64 {
	d := c.spec
	c.passRefreshes(start, counters)
	b := &c.rows[number&uint64(len(c.rows)-1)]
	row := number/uint64(len(c.rows)) + 1
	for {
		column, activate := c.columnTime(b, row, start)
		data := max((column+uint64(d.CL))*busUnit, c.bus)
		column = data/busUnit - uint64(d.CL) // a column command waits until its data fits the bus
		if d.REFI != 0 && column >= c.refresh {
			c.doRefresh(counters)
			continue
		}
		switch b.open {
		case row:
			counters.RowHits++
		case 0:
			counters.RowMisses++
		default:
			counters.RowConflicts++
		}
		if b.open != row {
			*b = dramBank{open: row, column: activate + uint64(d.RCD), precharge: activate + uint64(d.RAS)}
		}
		c.bus = data + c.transfer
		done := (c.bus + busUnit - 1) / busUnit
		recovered := done - uint64(d.CL) // a read's row may close when its last column command is through
		if write {
			recovered = done + uint64(d.WR)
		}
		b.precharge = max(b.precharge, recovered)
		return done
	}
}

// columnTime returns when the column command of an access can be given, and when its row is activated unless it is open.
func (c *dramChannel) columnTime(b *dramBank, row, start uint64) (column, activate uint64) {
	d := c.spec
	switch b.open {
	case row:
		return max(start, b.column), 0
	case 0:
		activate = max(start, b.activate)
	default:
		activate = max(start, b.precharge) + uint64(d.RP)
	}
	return activate + uint64(d.RCD), activate
}

// doRefresh closes all rows and holds the channel up for the refresh that is due.
func (c *dramChannel) doRefresh(counters *DRAMCounters) {
	begin, opened := c.refresh, false
	for i := range c.rows {
		if c.rows[i].open != 0 {
			begin, opened = max(begin, c.rows[i].precharge), true
		}
	}
	if opened {
		begin += uint64(c.spec.RP)
	}
	c.close()
	for i := range c.rows {
		c.rows[i].activate = begin + uint64(c.spec.RFC)
	}
	c.refresh += uint64(c.spec.REFI)
	counters.Refreshes++
}

// passRefreshes carries out the refreshes that are long over at cycle start, but for the latest.
func (c *dramChannel) passRefreshes(start uint64, counters *DRAMCounters) {
	interval := uint64(c.spec.REFI)
	if interval == 0 || start < c.refresh+interval {
		return
	}
	n := (start - c.refresh) / interval
	c.refresh += n * interval
	counters.Refreshes += n
	c.close()
}

func (c *dramChannel) close() {
	for i := range c.rows {
		c.rows[i].open = 0
	}
}
