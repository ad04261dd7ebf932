// SPDX-License-Identifier: GPL-2.0-or-later
/* Category block: include/trace/events/block.h */
#include "read_kernel.h"
#include "record.h"

#define REQUEST_EVENT(name)                                                                        \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, struct request *rq)                                                     \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		FILL_REQUEST(e, rq);                                                               \
		e->bytes = rq->__data_len;                                                         \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

REQUEST_EVENT(block_rq_insert)
REQUEST_EVENT(block_rq_issue)
REQUEST_EVENT(block_rq_requeue)

SEC("tp_btf/block_rq_complete")
int BPF_PROG(block_rq_complete, struct request *rq, __u8 error, unsigned int nr_bytes)
{
	RECORD(block_rq_complete, e);
	FILL_REQUEST(e, rq);
	e->bytes = nr_bytes;
	e->status = error;
	COMMIT();
	return 0;
}

#define FILL_BIO(e, b)                                                                             \
	do {                                                                                       \
		(e)->bio = (__u64)(b);                                                             \
		(e)->sector = (b)->bi_iter.bi_sector;                                              \
		(e)->bytes = (b)->bi_iter.bi_size;                                                 \
		(e)->dev = (b)->bi_bdev->bd_dev;                                                   \
		(e)->op = (b)->bi_opf & REQ_OP_MASK;                                               \
	} while (0)

SEC("tp_btf/block_bio_queue")
int BPF_PROG(block_bio_queue, struct bio *bio)
{
	RECORD(block_bio_queue, e);
	FILL_BIO(e, bio);
	e->bio_based = BPF_CORE_READ(bio, bi_bdev, bd_disk, fops, submit_bio) != NULL;
	COMMIT();
	return 0;
}

/* For a bio that became a request, the kernel reports block_rq_complete instead. */
SEC("tp_btf/block_bio_complete")
int BPF_PROG(block_bio_complete, struct request_queue *q, struct bio *bio)
{
	RECORD(block_bio_complete, e);
	FILL_BIO(e, bio);
	e->status = bio->bi_status;
	COMMIT();
	return 0;
}
