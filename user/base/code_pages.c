/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/code_pages.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whether the loader has written to pages that are read-only by now. */
static int has_text_relocations(const struct dl_phdr_info *object)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		const ElfW(Dyn) * entry;

		if (part->p_type != PT_DYNAMIC)
			continue;
		entry = (const void *)(object->dlpi_addr + part->p_vaddr);
		for (; entry->d_tag != DT_NULL; entry++)
			if (entry->d_tag == DT_TEXTREL ||
			    (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
				return 1;
	}
	return 0;
}

static int forget_object(struct dl_phdr_info *object, size_t size, void *data)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)data;
	if (has_text_relocations(object))
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		const uintptr_t from = object->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
			(void)madvise((void *)(from & ~(page - 1)),
				      part->p_memsz + (from & (page - 1)), MADV_DONTNEED);
	}
	return 0;
}

void code_pages_forget(void)
{
	(void)dl_iterate_phdr(forget_object, NULL);
}
