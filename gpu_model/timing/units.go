package timing

// Units is what a co-simulation attaches to the model: the hardware units beside L2. The model calls it from one
// goroutine, between windows, in canonical order (time, shader array, compute unit, wavefront, sequence); every time is an absolute
// cycle of the GPU clock, which keeps counting across launches. An error ends the launch and is returned by Launch as it is.
//
// Stores into watched pages are not reported here but to the memory.Observer, in the same order, with the virtual time in
// picoseconds at which they take effect.
//
// A line is named by the byte address of its first byte.
type Units interface {
	// Begin is called before a launch's first cycle. The engine is valid until End.
	Begin(e Engine) error

	// Dispatched tells that a compute unit received a work-group (linear number in the grid) at cycle now: the moment to
	// prefetch. Not called when the implementation's WantsDispatch is false.
	Dispatched(now uint64, workgroup uint32, computeUnit int) error
	WantsDispatch() bool

	// StoreStall returns the cycles that a store to the line, which lies in a watched page, keeps its L2 bank busy beyond an
	// ordinary store's; whole tells that it writes all bytes of the line.
	StoreStall(line uint64, whole bool) uint64

	// ViewLine asks for a 64-byte line of a compacted view (a page with memory.PageView) that an L1 cache missed; the
	// request reaches the L2 at cycle now. When the line's content is there, ready is the cycle from which the L2 can send it and
	// token is 0. Otherwise token (not 0) names what the line waits for, usually a tile: an Answer with that token will come from
	// Wait.
	ViewLine(now, line uint64) (ready, token uint64, err error)

	// LinesRead tells that the reads asked for with Engine.Read under token are complete at cycle now.
	LinesRead(token, now uint64) error

	// Influence returns the earliest cycle that an outstanding answer can influence, and false when none is outstanding. The
	// model simulates up to that cycle and then calls Wait.
	Influence() (cycle uint64, outstanding bool)

	// Wait blocks until every request whose earliest influence lies before the given cycle is answered, and returns those
	// answers, and only those, in an order that does not depend on the host. An answer may come earlier on the wire; it
	// is handed over only when Wait asks for it, so that the model never depends on wall-clock time.
	Wait(before uint64) ([]Answer, error)

	// End is called after the last cycle of a launch, also of a failed one.
	End(now uint64) error
}

// Answer releases the lines that wait for a token: their content is there from cycle Ready on. Loads take their data when
// they complete, so memory.ViewReader must know the content once Wait has returned. ViewReader.Read is called from any
// simulating goroutine, one at a time.
type Answer struct {
	Token uint64
	Ready uint64
}

// Engine is what the units may ask of the model, from inside any call the model makes to them.
type Engine interface {
	// Read times the reading of 64-byte lines by an instance of a unit that sits beside the L2: through the L2 banks, and from
	// DRAM on a miss, starting at cycle start (not before now). An instance (numbered from 0) issues one line a cycle, serves its
	// reads in order, and has at most inFlight lines outstanding. LinesRead reports the end. Lines are moved L2 to unit and count as
	// L2 bytes.
	Read(token uint64, instance int, start uint64, lines []uint64, inFlight int)

	// Now returns the first cycle of the window that is being simulated.
	Now() uint64

	// Picoseconds converts a cycle to virtual time, and Cycle back, rounded up.
	Picoseconds(cycle uint64) uint64
	Cycle(picoseconds uint64) uint64
}
