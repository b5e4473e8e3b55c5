package platform

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

// newGPU makes a GPU and a function that launches words as a kernel of one wavefront, whose arguments point to a page.
func newGPU(t *testing.T, o Options) (*GPU, func(words ...uint32) error) {
	t.Helper()
	m, err := memory.New(Bytes)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = func(string, ...any) {}
	g, err := New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	page, err := m.Allocate(4096, "page")
	if err != nil {
		t.Fatal(err)
	}
	return g, func(words ...uint32) error {
		var code []byte
		for _, w := range words {
			code = binary.LittleEndian.AppendUint32(code, w)
		}
		k := &codeobject.Kernel{Name: "made", Object: &codeobject.Object{Image: code}, End: uint64(len(code)), AllocatedSGPRs: 16, AllocatedVGPRs: 16, KernargBytes: 8,
			Rsrc2: 2 << 1, Enable: codeobject.Enable{KernargPtr: true, UserSGPRs: 2}}
		p, err := g.Load(k)
		if err != nil {
			return err
		}
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: p, Kernel: k, Memory: m, Grid: []uint32{64}, GroupSize: []uint32{64}, Arguments: binary.LittleEndian.AppendUint64(nil, page)})
		if err != nil {
			return err
		}
		defer l.Close()
		_, err = g.Execute(context.Background(), l)
		return err
	}
}

const (
	endProgram = 0xbf810000
	wakeup     = 0xbf830000 // upstream issues it and never completes it
)

func TestAKernelThatUpstreamNeverEndsIsToldAndTheNextOneRuns(t *testing.T) {
	_, launch := newGPU(t, Options{Stuck: 20 * time.Second, AllowAll: true})
	err := launch(wakeup, endProgram)
	if err == nil || !strings.Contains(err.Error(), `kernel "made"`) || !strings.Contains(err.Error(), "have not ended") {
		t.Errorf("expected a sentence about the kernel and what is under way, got %v", err)
	}
	if err := launch(endProgram); err != nil {
		t.Errorf("the next launch: %v", err)
	}
}

func TestAnInstructionThatUpstreamLacksIsRefusedBeforeTheLaunch(t *testing.T) {
	_, launch := newGPU(t, Options{})
	err := launch(wakeup, endProgram)
	if err == nil || !strings.Contains(err.Error(), "s_wakeup at PC 0x") {
		t.Errorf("expected a refusal by name and PC, got %v", err)
	}
}

func TestAPanicInsideUpstreamIsAnError(t *testing.T) {
	_, launch := newGPU(t, Options{AllowAll: true, Stuck: 20 * time.Second})
	err := launch(0xc0120400, 0, endProgram) // s_load_dwordx16 s[16:31], s[0:1], 0
	var stopped *attach.PanicError
	if !errors.As(err, &stopped) || !strings.Contains(err.Error(), "ended with a panic at cycle") {
		t.Errorf("expected a panic of upstream as an error, got %v", err)
	}
	if err := launch(endProgram); err != nil {
		t.Errorf("the next launch: %v", err)
	}
}

func TestTheWatchdogEndsASimulationThatDoesNotGetOn(t *testing.T) {
	g, launch := newGPU(t, Options{Stuck: 500 * time.Millisecond, AllowAll: true})
	g.system.tap.OnAccess(func(uint64) { time.Sleep(1500 * time.Millisecond) }) // the simulation stands still in the middle of an event
	err := launch(0xc0020200, 0, 0xbf8c0070, endProgram)                        // s_load_dword s8, s[0:1], 0; s_waitcnt; s_endpgm
	var stuck *attach.StuckError
	if !errors.As(err, &stuck) || stuck.State == "" {
		t.Errorf("expected the watchdog's error with a state, got %v", err)
	}
}
