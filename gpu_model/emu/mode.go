package emu

// Fields of the MODE register (GCN3 ISA manual, MODE; CLRX GcnState).

// round32 returns the rounding of f32: 0 nearest even, 1 towards +∞, 2 towards −∞, 3 towards 0.
func (m Mode) round32() uint32 { return uint32(m) & 3 }

// round64 returns the rounding of f16 and f64.
func (m Mode) round64() uint32 { return uint32(m) >> 2 & 3 }

// flushIn32 and flushOut32 tell whether f32 denormals are flushed as sources and as results.
func (m Mode) flushIn32() bool  { return m>>4&1 == 0 }
func (m Mode) flushOut32() bool { return m>>5&1 == 0 }

// flushIn64 and flushOut64 are the same for f16 and f64.
func (m Mode) flushIn64() bool  { return m>>6&1 == 0 }
func (m Mode) flushOut64() bool { return m>>7&1 == 0 }

// dx10Clamp tells that clamp turns NaN into 0.
func (m Mode) dx10Clamp() bool { return m>>8&1 != 0 }

// ieee tells that min and max quiet signalling NaNs.
func (m Mode) ieee() bool { return m>>9&1 != 0 }

// modifies32 and modifies64 tell whether output modifiers act on f32, and on f16 and f64: they are ignored in IEEE mode and where
// denormal results are kept (source: GCN3 ISA manual, output modifiers; LLVM folds them under the same condition).
func (m Mode) modifies32() bool { return !m.ieee() && m.flushOut32() }
func (m Mode) modifies64() bool { return !m.ieee() && m.flushOut64() }
