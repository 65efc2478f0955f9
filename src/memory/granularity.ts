/** The guest's memory block size: what every module should be a multiple of. */
import { type Bytes, GiB, mib } from './bytes.ts';

/** From here on Linux may pick larger blocks; see {@link defaultGranularity}. */
const largeGuest = 60 * GiB;

/**
 * The block size to assume where the guest can't be asked, in bytes.
 * - x86-64: `probe_memory_block_size` (Linux, arch/x86/mm/init_64.c) uses 128 MiB while RAM *ends* below 64 GiB and up to
 *   2 GiB above. q35 puts the end of RAM 2 GiB above its amount, hence 60 GiB of boot memory as a careful limit; 2 GiB
 *   suits every block size that it picks.
 * - ppc64: 256 MiB, the logical memory block of pseries.
 * - aarch64: 512 MiB, its section with pages of 64 KiB; the 128 MiB of smaller pages divide it
 *   (Linux, arch/arm64/include/asm/sparsemem.h).
 * - i686 and loongarch64: 512 MiB, their section (with PAE; arch/x86 and arch/loongarch, asm/sparsemem.h).
 * - anything else: 2 GiB, which the sections of all these divide.
 * @param arch libvirt's name: `x86_64`, `ppc64le`, ...
 * @param bootMemory of all guest nodes
 */
export function defaultGranularity(arch: string, bootMemory: Bytes): Bytes {
  switch (arch) {
    case 'x86_64':
      return bootMemory < largeGuest ? mib(128) : mib(2048);
    case 'ppc64':
    case 'ppc64le':
      return mib(256);
    case 'aarch64':
    case 'i686':
    case 'loongarch64':
      return mib(512);
    default:
      return mib(2048);
  }
}

/**
 * The size that no block of a Linux guest is smaller than, in bytes: memory at any other address than a multiple of it is
 * certainly refused. A section of sparse memory is the least a block can have: x86 SECTION_SIZE_BITS 27
 * (arch/x86/include/asm/sparsemem.h), aarch64 27 with pages of 4 and 16 KiB, pseries 28. Of others nothing is certain
 * beyond what QEMU itself demands.
 * @param arch libvirt's name: `x86_64`, `ppc64le`, ...
 */
export function smallestGranularity(arch: string): Bytes {
  switch (arch) {
    case 'x86_64':
    case 'aarch64':
      return mib(128);
    case 'ppc64':
    case 'ppc64le':
      return mib(256);
    default:
      return mib(2);
  }
}
