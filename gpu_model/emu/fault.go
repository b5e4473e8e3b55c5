package emu

import (
	"fmt"
	"strings"
)

// Fault says what a wavefront did that the machine refuses, and where. It ends the launch.
type Fault struct {
	Kernel      string
	PC          uint64 // device address of the instruction
	Offset      uint64 // the same, in bytes from the start of the program
	Instruction string // disassembly
	Group       [3]uint32
	Sequence    uint64 // dispatch order of the work-group
	Wavefront   int    // number within the work-group
	Lane        int    // −1 when no single lane is to blame
	Address     uint64 // device or local address; meaningful when HasAddress
	HasAddress  bool
	Reason      string // a clause
}

// Error returns one sentence that names kernel, PC, instruction, wavefront and reason.
func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kernel %q at PC 0x%x (offset 0x%x", f.Kernel, f.PC, f.Offset)
	if f.Instruction != "" {
		fmt.Fprintf(&b, ", %s", f.Instruction)
	}
	fmt.Fprintf(&b, "), work-group (%d, %d, %d), wavefront %d", f.Group[0], f.Group[1], f.Group[2], f.Wavefront)
	if f.Lane >= 0 {
		fmt.Fprintf(&b, ", lane %d", f.Lane)
	}
	return b.String() + ": " + f.Reason
}

// Fail ends the wavefront with a fault at op. Only the first fault of a wavefront counts.
func (w *Wavefront) Fail(op *Op, format string, args ...any) {
	w.failAt(op, -1, 0, false, fmt.Sprintf(format, args...))
}

// FailLane is Fail for one lane's access to address.
func (w *Wavefront) FailLane(op *Op, lane int, address uint64, format string, args ...any) {
	w.failAt(op, lane, address, true, fmt.Sprintf(format, args...))
}

func (w *Wavefront) failAt(op *Op, lane int, address uint64, hasAddress bool, reason string) {
	w.Ended = true
	if w.Fault != nil {
		return
	}
	f := &Fault{Wavefront: w.IndexInGroup, Lane: lane, Address: address, HasAddress: hasAddress, Reason: reason}
	if w.Program != nil {
		f.Kernel = w.Program.Name
		f.Offset = uint64(op.Next)*4 - uint64(op.Inst.Size)
		f.PC = w.Program.Base + f.Offset
	}
	if w.Group != nil {
		f.Group, f.Sequence = w.Group.ID, w.Group.Sequence
	}
	f.Instruction = op.text()
	w.Fault = f
}
