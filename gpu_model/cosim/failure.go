package cosim

import "fmt"

// UnitFailure says that a unit, not the model, made a run impossible.
type UnitFailure struct {
	Unit   string // name, or the seat's kind before the handshake
	Event  string // what the model waited for or what the unit was handling; may be ""
	Layer  string // label of the user's layer; may be ""
	TimePS uint64 // virtual time
	Reason string // a clause
	Detail string // traceback, for log files
}

// Error returns one sentence.
func (f *UnitFailure) Error() string {
	text := fmt.Sprintf("unit %s failed", f.Unit)
	if f.Event != "" {
		text += " at " + f.Event
	}
	if f.Layer != "" {
		text += " in layer " + f.Layer
	}
	return fmt.Sprintf("%s, virtual time %d ps: %s", text, f.TimePS, f.Reason)
}
