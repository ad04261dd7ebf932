// SPDX-License-Identifier: GPL-2.0-or-later
/* Category block: include/trace/events/block.h */
#define MINOR_BITS 20

#define FILL_REQUEST(e, request)                                                                   \
	do {                                                                                       \
		const struct gendisk *disk = (request)->q->disk;                                   \
                                                                                                   \
		(e)->rq = (__u64)(request);                                                        \
		(e)->sector = (request)->__sector;                                                 \
		(e)->dev = disk ? disk->major << MINOR_BITS | disk->first_minor : 0;               \
		(e)->op = (request)->cmd_flags & REQ_OP_MASK;                                      \
	} while (0)

SEC("tp_btf/block_rq_insert")
int BPF_PROG(block_rq_insert, struct request *rq)
{
	RECORD(block_rq_insert, e);
	FILL_REQUEST(e, rq);
	e->bytes = rq->__data_len;
	COMMIT();
	return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(block_rq_issue, struct request *rq)
{
	RECORD(block_rq_issue, e);
	FILL_REQUEST(e, rq);
	e->bytes = rq->__data_len;
	COMMIT();
	return 0;
}

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

SEC("tp_btf/block_rq_requeue")
int BPF_PROG(block_rq_requeue, struct request *rq)
{
	RECORD(block_rq_requeue, e);
	FILL_REQUEST(e, rq);
	e->bytes = rq->__data_len;
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

/* Where there are requests, block_rq_complete stands for it. */
SEC("tp_btf/block_bio_complete")
int BPF_PROG(block_bio_complete, struct request_queue *q, struct bio *bio)
{
	RECORD(block_bio_complete, e);
	FILL_BIO(e, bio);
	e->status = bio->bi_status;
	COMMIT();
	return 0;
}
