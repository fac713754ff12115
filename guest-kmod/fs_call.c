// SPDX-License-Identifier: GPL-2.0-only
/* Commands about names: their buffer, their paths, and looks at what they made. */
#include <linux/dcache.h>
#include <linux/string.h>

#include "fs.h"

/* At the beginning of the buffer. */
struct fc_call_head {
	struct fc_iov output;
	u64 handle; /* variable */
	struct fc_iov stat_at;
	struct fc_statx stat;
};

#define FC_CALL_SMALL 512

static u64 fc_call_offset(struct fc_fscall *c, const void *at)
{
	return fc_kbuf_offset(c->fs->kernel, at);
}

/* Puts names in front of what is there, from the end of the buffer down. */
struct fc_names_writer {
	char *low;
	char *at;
};

static int fc_put_text(struct fc_names_writer *w, const char *text)
{
	size_t bytes = strlen(text) + 1;

	if (bytes > w->at - w->low)
		return -ENAMETOOLONG;
	w->at -= bytes;
	memcpy(w->at, text, bytes);
	return 0;
}

static int fc_put_dentry(struct fc_names_writer *w, struct dentry *dentry)
{
	char *path = dentry_path_raw(dentry, w->low, w->at - w->low);

	if (IS_ERR(path))
		return PTR_ERR(path);
	w->at = path + 1; /* paths are relative to the share */
	return 0;
}

static int fc_call_write(struct fc_fscall *c, const struct fc_call_names *names)
{
	char *end = c->buf + c->bytes;
	struct fc_names_writer w = { .low = c->out + names->out, .at = end };
	char *path_end = end - 1;
	int ret = 0;

	if (names->last) {
		ret = fc_put_text(&w, names->last);
		path_end = w.at - 1;
	}
	if (!ret)
		ret = fc_put_dentry(&w, names->dentry);
	c->path = w.at;
	c->path_length = path_end - w.at;
	if (!ret && names->from)
		ret = fc_put_dentry(&w, names->from);
	if (!ret && names->text)
		ret = fc_put_text(&w, names->text);
	c->names = w.at;
	c->cmd.buffer = fc_call_offset(c, w.at);
	c->cmd.length = end - 1 - w.at;
	return ret;
}

static int fc_call_alloc(struct fc_fscall *c, size_t bytes)
{
	c->buf = fc_kbuf_wait(c->fs->kernel, bytes, false);
	c->bytes = bytes;
	if (!c->buf)
		return -ENODEV;
	c->out = c->buf + sizeof(struct fc_call_head);
	return 0;
}

static void fc_call_free(struct fc_fscall *c)
{
	if (c->buf)
		fc_kbuf_free(c->fs->kernel, c->buf, c->bytes);
	c->buf = NULL;
}

int fc_call_prepare(struct fc_fscall *c, u8 opcode, const struct fc_call_names *names)
{
	size_t head = sizeof(struct fc_call_head) + names->out;
	int ret;

	c->cmd.opcode = opcode;
	c->cmd.handle = FC_HANDLE_SHARE(c->fs->share);
	c->exclusive = names->exclusive;
	if (c->exclusive)
		down_write(&c->fs->names);
	else
		down_read(&c->fs->names);
	c->locked = true;
	ret = fc_call_alloc(c, max_t(size_t, FC_CALL_SMALL, round_up(head + 128, 128)));
	if (!ret)
		ret = fc_call_write(c, names);
	if (ret != -ENAMETOOLONG)
		return ret;
	/* Large enough for all that the host takes, and for it to refuse more. */
	fc_call_free(c);
	ret = fc_call_alloc(c, round_up(head + 3 * FC_MAX_PATH, 8));
	return ret ? ret : fc_call_write(c, names);
}

void fc_call_output(struct fc_fscall *c, const void *at, size_t bytes)
{
	struct fc_call_head *head = c->buf;

	head->output = (struct fc_iov){ .buffer = at ? fc_call_offset(c, at) : 0, .length = bytes };
	c->cmd.offset = fc_call_offset(c, &head->output);
}

int fc_call_run(struct fc_fscall *c)
{
	return fc_kcall(c->fs->kernel, &c->cmd, 0);
}

void fc_call_end(struct fc_fscall *c)
{
	if (c->locked && c->exclusive)
		up_write(&c->fs->names);
	else if (c->locked)
		up_read(&c->fs->names);
	fc_call_free(c);
}

static void fc_call_stat_command(struct fc_fscall *c, struct fc_command *cmd, u64 id, bool opened)
{
	struct fc_call_head *head = c->buf;

	head->stat_at = (struct fc_iov){ .buffer = fc_call_offset(c, &head->stat),
					 .length = sizeof(head->stat) };
	*cmd = (struct fc_command){ .opcode = FC_OP_STATX,
				    .offset = fc_call_offset(c, &head->stat_at),
				    .wait = id,
				    .wait_count = 1 };
	if (opened) {
		cmd->flags = FC_F_VAR_HANDLE;
		cmd->handle = fc_call_offset(c, &head->handle) / sizeof(u64);
		return;
	}
	cmd->handle = c->cmd.handle;
	cmd->op_flags = FC_STATX_NOFOLLOW;
	cmd->buffer = fc_call_offset(c, c->path);
	cmd->length = c->path_length;
}

int fc_call_run_stat(struct fc_fscall *c, struct fc_statx *st, bool opened)
{
	struct fc_call_head *head = c->buf;
	struct fc_kwait make = { .op.cmd = c->cmd }, look = {};
	struct fc_kernel *k = c->fs->kernel;
	int ret, looked;

	ret = fc_kcall_id(k, &make.op.cmd.id);
	if (ret)
		return ret;
	make.op.cmd.flags |= FC_F_ID;
	if (opened) {
		make.op.cmd.flags |= FC_F_RESULT_STORE;
		make.op.cmd.result_var = fc_call_offset(c, &head->handle) / sizeof(u64);
	}
	fc_call_stat_command(c, &look.op.cmd, make.op.cmd.id, opened);
	ret = fc_kcall_begin(k, &make);
	if (ret)
		return ret;
	looked = fc_kcall_begin(k, &look);
	ret = fc_kcall_end(k, &make);
	if (!looked)
		looked = fc_kcall_end(k, &look);
	*st = head->stat;
	if (ret < 0 || looked >= 0)
		return ret;
	if (opened)
		fc_close(c->fs, ret);
	return looked;
}

/* Attributes of what the path says (a link's own), or of the handle. */
static int fc_stat_run(struct fc_fscall *c, struct fc_statx *st)
{
	int ret;

	fc_call_output(c, c->out, sizeof(*st));
	ret = fc_call_run(c);
	if (!ret)
		memcpy(st, c->out, sizeof(*st));
	return ret;
}

int fc_stat_path(struct fc_fs *fs, struct dentry *dentry, struct fc_statx *st)
{
	struct fc_fscall c = { .fs = fs };
	int ret = fc_call_prepare(&c, FC_OP_STATX,
				  &(struct fc_call_names){ .dentry = dentry, .out = sizeof(*st) });

	c.cmd.op_flags = FC_STATX_NOFOLLOW;
	/* The share itself has no name. */
	if (!ret && !c.cmd.length)
		c.cmd.buffer = c.cmd.op_flags = 0;
	if (!ret)
		ret = fc_stat_run(&c, st);
	fc_call_end(&c);
	return ret;
}

int fc_stat_handle(struct fc_fs *fs, u32 handle, struct fc_statx *st)
{
	struct fc_fscall c = { .fs = fs };
	int ret = fc_call_alloc(&c, FC_CALL_SMALL);

	c.cmd.opcode = FC_OP_STATX;
	c.cmd.handle = handle;
	if (!ret)
		ret = fc_stat_run(&c, st);
	fc_call_end(&c);
	return ret;
}

/* Nobody waits for that. */
void fc_close(struct fc_fs *fs, u32 handle)
{
	struct fc_command cmd = { .opcode = FC_OP_CLOSE, .handle = handle };

	fc_kcall_forget(fs->kernel, &cmd);
}
