// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What explains a recorder's numbers, so that a grab is read as a dump is: the
 * kernel's read-only data (symbols, BTF, the table of system calls, names of
 * flags), what modules have beside their code, the log, the machine's name. All
 * found by VMCOREINFO.
 */
#include <string.h>

#include "grab.h"

/* Where the kernel's image can be: __START_KERNEL_map, KERNEL_IMAGE_SIZE at most. */
#define IMAGE 0xffffffff80000000ULL
#define IMAGE_SIZE (1ULL << 30)

/* Where modules are: MODULES_VADDR to MODULES_END at most. */
#define MODULES 0xffffffffc0000000ULL
#define MODULES_SIZE 0x3f000000ULL

#define UTS_SIZE 1024
#define UTS_MEMBER 65 /* __NEW_UTS_LEN + 1 */
#define MAX_BITS 30

static void take_constants(uint64_t physical, uint64_t size, bool writable, bool executable)
{
	if (!writable && !executable)
		take(&kernel_plan, physical, size);
}

static void take_data(uint64_t physical, uint64_t size, bool writable, bool executable)
{
	(void)writable;
	if (!executable)
		take(&kernel_plan, physical, size);
}

/* A member of a struct in the dead kernel, by the offset that VMCOREINFO has. */
static bool read_member(uint64_t object, const char *offset_key, void *to, size_t size)
{
	uint64_t offset;

	return vmcoreinfo_number(offset_key, 10, &offset) &&
	       read_virtual(object + offset, to, size);
}

/* The kernel's log: struct printk_ringbuffer, kernel/printk/printk_ringbuffer.h. */
static void take_log(void)
{
	uint64_t pointer, log, size, descriptors, data, part;
	uint64_t descriptor_size, info_size;
	uint32_t count_bits, size_bits;

	if (!vmcoreinfo_number("SYMBOL(prb)=", 16, &pointer) ||
	    !read_virtual(pointer, &log, sizeof(log)) ||
	    !vmcoreinfo_number("SIZE(printk_ringbuffer)=", 10, &size) ||
	    !vmcoreinfo_number("SIZE(prb_desc)=", 10, &descriptor_size) ||
	    !vmcoreinfo_number("SIZE(printk_info)=", 10, &info_size) ||
	    !vmcoreinfo_number("OFFSET(printk_ringbuffer.desc_ring)=", 10, &descriptors) ||
	    !vmcoreinfo_number("OFFSET(printk_ringbuffer.text_data_ring)=", 10, &data))
		return;
	take_virtual(pointer, sizeof(log));
	take_virtual(log, size);
	descriptors += log;
	data += log;
	if (!read_member(descriptors, "OFFSET(prb_desc_ring.count_bits)=", &count_bits,
			 sizeof(count_bits)) ||
	    !read_member(data, "OFFSET(prb_data_ring.size_bits)=", &size_bits, sizeof(size_bits)) ||
	    count_bits > MAX_BITS || size_bits > MAX_BITS || descriptor_size > PAGE_SIZE ||
	    info_size > PAGE_SIZE)
		return;
	if (read_member(descriptors, "OFFSET(prb_desc_ring.descs)=", &part, sizeof(part)))
		take_virtual(part, descriptor_size << count_bits);
	if (read_member(descriptors, "OFFSET(prb_desc_ring.infos)=", &part, sizeof(part)))
		take_virtual(part, info_size << count_bits);
	if (read_member(data, "OFFSET(prb_data_ring.data)=", &part, sizeof(part)))
		take_virtual(part, 1ULL << size_bits);
}

bool kernel_fits(void)
{
	static const char key[] = "OSRELEASE=";
	const char *release = memory.vmcoreinfo + sizeof(key) - 1;
	size_t length = strcspn(release, "\n");
	char found[UTS_MEMBER];
	uint64_t name;

	/* The release is the third member of struct new_utsname. */
	return length && length < sizeof(found) &&
	       vmcoreinfo_number("SYMBOL(init_uts_ns)=", 16, &name) &&
	       read_virtual(name + 2 * UTS_MEMBER, found, sizeof(found)) &&
	       !memcmp(found, release, length) && !found[length];
}

void take_kernel(bool variables)
{
	uint64_t name;

	walk(IMAGE, IMAGE_SIZE, variables ? take_data : take_constants);
	walk(MODULES, MODULES_SIZE, take_data);
	take_log();
	if (vmcoreinfo_number("SYMBOL(init_uts_ns)=", 16, &name))
		take_virtual(name, UTS_SIZE);
}
