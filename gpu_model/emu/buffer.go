package emu

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// bindBuffer resolves MUBUF and MTBUF instructions (source: GCN3 ISA manual, Vector Memory Buffer Instructions).
func bindBuffer(op *Op, m *memOp) (err error) {
	in := &op.Inst
	name := strings.TrimPrefix(strings.TrimPrefix(in.Op.Name, "t"), "buffer_")
	op.Execute, op.Address = issue, bufferAddress
	m.toLDS = in.Mem.Lds
	rest, isLoad := strings.CutPrefix(name, "load_")
	store, isStore := strings.CutPrefix(name, "store_")
	switch {
	case strings.HasPrefix(name, "wbinvl1"):
		m.kind, op.Address, op.Perform = AccessCacheControl, addressCacheControl, performNothing
		return nil
	case name == "store_lds_dword":
		m.kind, op.Perform = AccessStore, performBufferStore
		m.bytes, m.dwords, m.toLDS = 4, 1, true
		return bindDescriptor(op, m)
	case isLoad && strings.HasPrefix(rest, "format_"):
		m.kind, op.Perform = AccessLoad, performFormatLoad
		err = m.bindFormat(op, rest)
	case isStore && strings.HasPrefix(store, "format_"):
		m.kind, op.Perform = AccessStore, performFormatStore
		err = m.bindFormat(op, store)
	case isLoad:
		m.kind, op.Perform = AccessLoad, performBufferLoad
		err = m.setShape(rest)
	case isStore:
		m.kind, op.Perform = AccessStore, performBufferStore
		err = m.setShape(store)
	case strings.HasPrefix(name, "atomic_") && m.bindAtomic(name[len("atomic_"):]):
		op.Perform = performBufferAtomic
	default:
		return fmt.Errorf("%s is not a buffer instruction of this machine", in.Op.Name)
	}
	if err != nil {
		return err
	}
	if m.toLDS && (m.kind != AccessLoad || m.dwords != 1) {
		return fmt.Errorf("%s cannot move its data to the LDS", in.Op.Name)
	}
	if !m.toLDS {
		if err := m.bindData(op); err != nil {
			return err
		}
	}
	return bindDescriptor(op, m)
}

// bindDescriptor resolves the address operands.
func bindDescriptor(op *Op, m *memOp) (err error) {
	mem := &op.Inst.Mem
	if m.base, err = scalar("srsrc", mem.Base, 4); err != nil {
		return err
	}
	n := 0
	if mem.OffEn {
		n++
	}
	if mem.IdxEn {
		n++
	}
	if n > 0 {
		if m.address, err = m.vector("vaddr", mem.Addr, n); err != nil {
			return err
		}
	}
	m.offset = mem.Offset & 0xfff
	switch s := mem.SOff; {
	case s < 128:
		m.offsetReg = int(s)
	case s >= 128 && s <= 192:
		m.offset1 = uint32(s) - 128
	case s >= 193 && s <= 208:
		m.offset1 = -(uint32(s) - 192)
	default:
		return fmt.Errorf("operand soffset must be a scalar register or an integer from −16 to 64, got operand code %d", s)
	}
	return nil
}

// descriptor is a buffer resource, decoded (source: GCN3 ISA manual, Buffer Resource Descriptor).
type descriptor struct {
	base         uint64
	stride       uint32
	records      uint32 // bytes; index limit for swizzled buffers
	swizzle      bool
	addThread    bool
	elementBytes uint32
	indexStride  uint32
	word3        uint32
}

func readDescriptor(d []uint32) descriptor {
	r := descriptor{
		base: uint64(d[0]) | uint64(d[1]&0xffff)<<32, stride: d[1] >> 16 & 0x3fff, swizzle: d[1]>>31 != 0, records: d[2],
		elementBytes: 2 << (d[3] >> 19 & 3), indexStride: 8 << (d[3] >> 21 & 3), addThread: d[3]>>23&1 != 0, word3: d[3],
	}
	if r.addThread { // the data format field then holds the stride's upper bits
		r.stride |= d[3] >> 15 & 0xf << 14
	}
	return r
}

// locate returns the offset from the buffer's base for index and offset, and whether n bytes there are in range.
func (d *descriptor) locate(index, offset, scalarOffset, n uint32, indexed bool) (at uint64, ok bool) {
	if !d.swizzle {
		linear := uint64(index)*uint64(d.stride) + uint64(offset)
		return linear, linear+uint64(n)+uint64(scalarOffset) <= uint64(d.records)
	}
	element, group := uint64(d.elementBytes), uint64(d.indexStride)
	i, o := uint64(index), uint64(offset)
	at = (i/group*uint64(d.stride)+o/element*element)*group + i%group*element + o%element
	if d.stride != 0 {
		return at, index < d.records && !(indexed && uint64(offset)+uint64(n) > uint64(d.stride))
	}
	return at, uint64(offset)+uint64(n) <= uint64(d.records)
}

// bufferAddress fills the access from the descriptor as it is now. Lanes out of the buffer's range go to ZeroMask: they load 0 and
// store nothing.
func bufferAddress(w *Wavefront, op *Op) {
	m, a, mem := op.mem, &w.Access, op.mem.inst
	d := readDescriptor(w.S[m.base : m.base+4])
	a.Kind, a.Bytes, a.Glc, a.Slc, a.ScalarBytes = m.kind, m.bytes, m.glc, m.slc, 0
	a.Mask, a.LocalMask, a.ZeroMask, a.ElementMask, a.ElementBytes = 0, 0, 0, 0, 0
	if m.format != nil {
		if !m.format.begin(w, op, a, d.word3) {
			return
		}
	}
	soffset := m.offset1
	if m.offsetReg >= 0 {
		soffset = w.S[m.offsetReg]
	}
	if w.Program.memory.Buffer != nil && mem.OffEn && !mem.IdxEn && !d.addThread && !d.swizzle {
		m.linearAddress(w, a, &d, soffset)
		m.takeBufferData(w, op, a)
		return
	}
	indexed := mem.IdxEn || d.addThread
	for mask := w.Exec(); mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		index, offset, v := uint32(0), m.offset, m.address*64+lane
		if mem.IdxEn {
			index = w.V[v]
			v += 64
		}
		if mem.OffEn {
			offset += w.V[v]
		}
		if d.addThread {
			index += uint32(lane)
		}
		at, ok := d.locate(index, offset, soffset, uint32(a.Bytes), indexed)
		if !ok {
			a.ZeroMask |= 1 << lane
			continue
		}
		if within := offset % d.elementBytes; d.swizzle && within+uint32(a.Bytes) > d.elementBytes && (within != 0 || d.elementBytes < 4) {
			w.FailLane(op, lane, d.base+at, "%d bytes at offset %d cross the swizzled buffer's elements of %d bytes", a.Bytes, offset, d.elementBytes)
			return
		}
		a.Addr[lane] = d.base + uint64(soffset) + at
		a.Mask |= 1 << lane
	}
	if d.swizzle && uint32(a.Bytes) > d.elementBytes {
		a.ElementMask, a.ElementBytes, a.ElementStride = a.Mask, uint8(d.elementBytes), d.elementBytes*d.indexStride
	}
	m.takeBufferData(w, op, a)
}

// linearAddress fills the access of a buffer without structure, where a lane's offset is all that tells its address.
func (m *memOp) linearAddress(w *Wavefront, a *MemoryAccess, d *descriptor, soffset uint32) {
	exec, outside := w.Exec(), ^uint64(0)
	if need := uint64(a.Bytes) + uint64(soffset); need <= uint64(d.records) {
		last := uint32(uint64(d.records) - need)
		outside = w.Program.memory.Buffer(&a.Addr[0], &w.Lanes(m.address)[0], d.base+uint64(soffset), m.offset, last)
	}
	a.Mask, a.ZeroMask = exec&^outside, exec&outside
}

// takeBufferData copies the data of stores and atomics at issue.
func (m *memOp) takeBufferData(w *Wavefront, op *Op, a *MemoryAccess) {
	switch {
	case m.kind == AccessLoad:
		a.registers = 0
	case m.toLDS: // buffer_store_lds_dword
		a.registers = 1
		for mask := a.Mask; mask != 0; mask &= mask - 1 {
			lane := bits.TrailingZeros64(mask)
			b := w.localBytes(op, lane, m.ldsAddress(w, lane), 4)
			if b == nil {
				a.Mask = 0
				return
			}
			a.Data[0][lane] = binary.LittleEndian.Uint32(b)
		}
	case m.format != nil:
		a.registers = uint8(len(a.Data))
		m.format.pack(w, m, a)
	default:
		takeData(w, a, m.data, m.dataRegisters())
	}
}

// ldsAddress is where a buffer access to or from the LDS finds a lane's dword: M0[15:0] plus the instruction's offset, lanes side by side.
func (m *memOp) ldsAddress(w *Wavefront, lane int) uint32 {
	return w.S[124]&0xffff + m.offset + uint32(lane)*4
}

// zero clears the result registers of lanes out of range.
func (m *memOp) zero(w *Wavefront, mask uint64, registers int) {
	for ; mask != 0; mask &= mask - 1 {
		at := m.dst*64 + bits.TrailingZeros64(mask)
		for r := range registers {
			w.V[at+64*r] = 0
		}
	}
}

func performBufferLoad(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	if m.toLDS {
		loadToLDS(w, op, a)
		return
	}
	m.zero(w, a.ZeroMask, m.results())
	performLoad(w, op, a)
}

// results returns how many registers a load or returning atomic writes.
func (m *memOp) results() int {
	n := int(m.dwords)
	if m.tfe {
		n++
	}
	return n
}

// loadToLDS is a buffer load with the lds bit: what is shorter than a dword is extended as in a register.
func loadToLDS(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	for mask := a.Mask | a.ZeroMask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		local := w.localBytes(op, lane, m.ldsAddress(w, lane), 4)
		if local == nil {
			return
		}
		var buffer [4]byte
		if a.Mask>>lane&1 != 0 {
			if err := w.Launch.Memory.Load(w.Now, a.Addr[lane], buffer[:m.bytes]); err != nil {
				w.FailLane(op, lane, a.Addr[lane], "%v", err)
				return
			}
		}
		x := binary.LittleEndian.Uint32(buffer[:])
		if shift := 32 - 8*uint(m.bytes); m.signed {
			x = uint32(int32(x<<shift) >> shift)
		}
		binary.LittleEndian.PutUint32(local, x)
	}
}

func performBufferStore(w *Wavefront, op *Op, a *MemoryAccess) { performStore(w, op, a) }

func performBufferAtomic(w *Wavefront, op *Op, a *MemoryAccess) {
	if op.mem.kind == AccessAtomicReturn {
		op.mem.zero(w, a.ZeroMask, op.mem.results())
	}
	performAtomic(w, op, a)
}

// isTyped reports whether the instruction itself names its format.
func isTyped(in *isa.Inst) bool { return in.Format == isa.MTBUF }
