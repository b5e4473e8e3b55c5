package attach

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/akita/v4/sim/directconnection"
)

// connectionOf returns the connection that a port is plugged into. Upstream's R9 Nano registers the connection between L1 and L2
// nowhere, and no exported function of akita v4.9 leads from a port to its connection; so this reads the port's own field, and says so
// where a later akita names it otherwise. It is the only place that looks behind upstream's exported names.
func connectionOf(p sim.Port) (*directconnection.Comp, error) {
	v := reflect.ValueOf(p)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		if f := v.Elem().FieldByName("conn"); f.IsValid() && f.CanAddr() {
			if c, ok := reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Interface().(*directconnection.Comp); ok {
				return c, nil
			}
		}
	}
	return nil, fmt.Errorf("can't find the connection of port %s: expected akita %s, whose ports keep it in a field named conn", p.Name(), AkitaVersion)
}
