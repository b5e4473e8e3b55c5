"""Text of GCN3 assembly kernels: the code-object-v2 frame around a body, and register naming.

The output is read by llvm-mc for gfx803 with code object version 2. Register state at entry, as the frame asks for it:
s[0:1] kernel-argument address, then s2, s3, s4 the work-group ids x, y, z; v0 the work-item id x.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ARGUMENT_SIZES = {"buffer": 8, "u32": 4}

# Untyped access, stride 0: DST_SEL xyzw, NUM_FORMAT float, DATA_FORMAT 32 (GCN3 ISA manual, 8.1.8 buffer resource).
BUFFER_WORD3 = 0x00027FAC


def s(first: int, count: int = 1) -> str:
    """The scalar register or register range that starts at ``first``."""
    return f"s{first}" if count == 1 else f"s[{first}:{first + count - 1}]"


def v(first: int, count: int = 1) -> str:
    """The vector register or register range that starts at ``first``."""
    return f"v{first}" if count == 1 else f"v[{first}:{first + count - 1}]"


@dataclass
class Kernel:
    """One kernel: its arguments, register needs and body, line by line."""

    name: str
    arguments: list[tuple[str, str]]
    sgprs: int
    vgprs: int
    lines: list[str] = field(default_factory=list)

    def offset(self, name: str) -> int:
        """Byte offset of an argument in the kernel-argument segment."""
        at = 0
        for argument, kind in self.arguments:
            size = ARGUMENT_SIZES[kind]
            at = (at + size - 1) // size * size
            if argument == name:
                return at
            at += size
        raise KeyError(name)

    def kernarg_bytes(self) -> int:
        """Size of the kernel-argument segment."""
        last, kind = self.arguments[-1]
        return self.offset(last) + ARGUMENT_SIZES[kind]

    def load(self, register: int, name: str, count: int = 1) -> None:
        """Load ``count`` dwords of arguments, from ``name`` on, into scalar registers."""
        width = "" if count == 1 else f"x{count}"
        self(f"s_load_dword{width} {s(register, count)}, s[0:1], {self.offset(name):#x}")

    def __call__(self, text: str) -> None:
        """Append an instruction or directive."""
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        """Append a label, local to the kernel."""
        self.lines.append(f"{self.local(name)}:")

    def local(self, name: str) -> str:
        """The assembler's name of a label of this kernel."""
        return f".L{self.name}_{name}"

    def comment(self, text: str) -> None:
        """Append a comment."""
        self.lines.append(f"  ; {text}")

    def text(self) -> str:
        """The kernel with its 256-byte header."""
        sgprs = self.sgprs + 2  # vcc lies behind the kernel's own
        head = f"""
  .protected {self.name}
  .globl {self.name}
  .p2align 8
  .type {self.name},@function
  .amdgpu_hsa_kernel {self.name}
{self.name}:
  .amd_kernel_code_t
    granulated_workitem_vgpr_count = {(self.vgprs + 3) // 4 - 1}
    granulated_wavefront_sgpr_count = {(sgprs + 15) // 16 * 2 - 1}
    float_mode = 192
    enable_dx10_clamp = 1
    enable_ieee_mode = 1
    user_sgpr_count = 2
    enable_sgpr_kernarg_segment_ptr = 1
    enable_sgpr_workgroup_id_x = 1
    enable_sgpr_workgroup_id_y = 1
    enable_sgpr_workgroup_id_z = 1
    enable_vgpr_workitem_id = 0
    is_ptr64 = 1
    kernarg_segment_byte_size = {self.kernarg_bytes()}
    wavefront_sgpr_count = {sgprs}
    workitem_vgpr_count = {self.vgprs}
    kernarg_segment_alignment = 4
    group_segment_alignment = 4
    private_segment_alignment = 4
    wavefront_size = 6
  .end_amd_kernel_code_t
"""
        tail = f"\n{self.local('end')}:\n  .size {self.name}, {self.local('end')}-{self.name}\n"
        return head + "\n".join(self.lines) + tail

    def metadata(self) -> str:
        """The kernel's entry in the code object's metadata."""
        lines = [
            f"    - Name: {self.name}",
            f"      SymbolName: '{self.name}@kd'",
            "      Language: Assembler",
            "      Args:",
        ]
        for name, kind in self.arguments:
            size = ARGUMENT_SIZES[kind]
            value = "GlobalBuffer" if kind == "buffer" else "ByValue"
            lines += [
                f"        - Name: {name}",
                f"          TypeName: '{'float*' if kind == 'buffer' else 'uint'}'",
                f"          Size: {size}",
                f"          Align: {size}",
                f"          ValueKind: {value}",
            ]
            if kind == "buffer":
                lines.append("          AddrSpaceQual: Global")
        lines += [
            "      CodeProps:",
            f"        KernargSegmentSize: {self.kernarg_bytes()}",
            "        GroupSegmentFixedSize: 0",
            "        PrivateSegmentFixedSize: 0",
            "        KernargSegmentAlign: 8",
            "        WavefrontSize: 64",
            f"        NumSGPRs: {self.sgprs + 2}",
            f"        NumVGPRs: {self.vgprs}",
            "        MaxFlatWorkGroupSize: 1024",
        ]
        return "\n".join(lines)


def module(kernels: list[Kernel], command: str) -> str:
    """A whole assembly file; ``command`` is what regenerates it."""
    head = f'; Generated by "{command}"; edit the generator.\n'
    head += "  .text\n  .hsa_code_object_version 2,1\n" + '  .hsa_code_object_isa 8,0,3,"AMD","AMDGPU"\n'
    metadata = "\n".join(k.metadata() for k in kernels)
    tail = "\n  .amd_amdgpu_hsa_metadata\n---\n  Version: [ 1, 0 ]\n  Kernels:\n" + metadata
    return head + "".join(k.text() for k in kernels) + tail + "\n...\n  .end_amd_amdgpu_hsa_metadata\n"
