/*
 * What the attacking program and the harness agree on. The program runs one attack by name and says by its exit status how that
 * went; the harness runs each twice: outside any sandbox, where it must succeed (else it would prove nothing), and inside, where
 * it must not.
 */
#pragma once

enum {
	ATTACK_SUCCEEDED = 0,
	ATTACK_REFUSED = 1,    /* the errno's name is on standard output */
	ATTACK_IMPOSSIBLE = 2, /* this machine has nothing to attack: no such kernel part, no such file */
};

/* What a control run, outside the sandbox, needs so that the attack can succeed. */
enum control {
	CONTROL_PLAIN,      /* as whoever runs the tests */
	CONTROL_ROOT,       /* only the machine's root can; an ordinary user's run goes without */
	CONTROL_NAMESPACED, /* as root of namespaces of its own: with the capabilities that the sandbox takes away */
	CONTROL_UNPRIVILEGED, /* never as root: root has nothing to gain */
	CONTROL_NONE,       /* would harm the machine */
};

/*
 * The attacks of LOCAL_SOCKETS run in a sandbox that permits local sockets, so that what lies behind that refusal is tested too.
 *
 * ATTACK(name, control, refusals): refusals are the errno names that count inside, separated by spaces; "SIGSYS" is being killed
 * by the filter; "-" any refusal. Every attack reads its targets from arguments NAME=value, see run.c.
 */
#define LOCAL_SOCKETS "read_by_handed_folder abstract_socket path_socket"

#define ATTACKS(ATTACK) \
	/* Files. */ \
	ATTACK(read_secret, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_by_dotdot, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_by_symlink, CONTROL_PLAIN, "ENOENT") \
	ATTACK(hard_link_out, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_by_proc_self_root, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_by_proc_self_cwd, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_by_victim_root, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_victim_environ, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_process_1, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_by_handle, CONTROL_ROOT, "EPERM") \
	ATTACK(read_by_handed_folder, CONTROL_PLAIN, "EACCES") \
	ATTACK(read_shadow, CONTROL_ROOT, "ENOENT") \
	ATTACK(list_home, CONTROL_PLAIN, "ENOENT") \
	ATTACK(list_root_home, CONTROL_ROOT, "ENOENT") \
	ATTACK(see_accounts, CONTROL_PLAIN, "ENOENT") \
	ATTACK(read_kernel_command_line, CONTROL_PLAIN, "ENODATA") \
	ATTACK(read_sys, CONTROL_PLAIN, "ENOENT") \
	ATTACK(open_kernel_memory, CONTROL_ROOT, "ENOENT") \
	ATTACK(open_disk, CONTROL_ROOT, "ENOENT") \
	ATTACK(write_read_only, CONTROL_PLAIN, "EROFS") \
	ATTACK(create_in_read_only, CONTROL_PLAIN, "EROFS") \
	ATTACK(chmod_read_only, CONTROL_PLAIN, "EROFS") \
	ATTACK(write_root, CONTROL_ROOT, "EROFS") \
	ATTACK(write_usr, CONTROL_ROOT, "EROFS") \
	ATTACK(write_process_memory_file, CONTROL_PLAIN, "EROFS") \
	ATTACK(write_core_pattern, CONTROL_ROOT, "EROFS EACCES") \
	ATTACK(write_sysrq, CONTROL_ROOT, "EROFS EACCES ENOENT") \
	ATTACK(make_device, CONTROL_ROOT, "EPERM") \
	ATTACK(make_whiteout, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_chmod, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_high_bits, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_fchmod, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_fchmodat, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_fchmodat2, CONTROL_PLAIN, "ENOSYS EPERM") \
	ATTACK(set_user_id_create, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_creat, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_openat2, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(set_user_id_mknod, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_user_id_temporary, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_group_id_chmod, CONTROL_PLAIN, "EPERM") \
	ATTACK(run_set_user_id, CONTROL_UNPRIVILEGED, "EPERM") \
	/* The view. */ \
	ATTACK(see_host_root, CONTROL_PLAIN, "ENOENT") \
	ATTACK(mount_with_set_user_id, CONTROL_PLAIN, "ENOENT") \
	ATTACK(remount_writable, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(setattr_writable, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(unmount_mask, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(bind_over_proc, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(mount_tmpfs, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(new_mount_api, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(clone_tree, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(chroot_away, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(pivot, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(unshare_user, CONTROL_PLAIN, "EPERM") \
	ATTACK(clone_user, CONTROL_PLAIN, "EPERM") \
	ATTACK(clone3_user, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(unshare_mount, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(enter_namespace, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(stack_filter_then_unshare, CONTROL_PLAIN, "EPERM") \
	ATTACK(become_root, CONTROL_NAMESPACED, "EINVAL EPERM") \
	ATTACK(raise_capability, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(root_by_exec, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_groups, CONTROL_ROOT, "EPERM") \
	ATTACK(set_host_name, CONTROL_NAMESPACED, "EPERM") \
	/* Processes. */ \
	ATTACK(leaked_descriptor, CONTROL_PLAIN, "EBADF") \
	ATTACK(leaked_environment, CONTROL_PLAIN, "ENODATA") \
	ATTACK(signal_victim, CONTROL_PLAIN, "ESRCH") \
	ATTACK(signal_everybody, CONTROL_NONE, "-") \
	ATTACK(trace_child, CONTROL_PLAIN, "EPERM") \
	ATTACK(trace_process_1, CONTROL_NONE, "EPERM") \
	ATTACK(kill_process_1, CONTROL_NONE, "EPERM") \
	ATTACK(read_other_memory, CONTROL_PLAIN, "EPERM") \
	ATTACK(write_other_memory, CONTROL_PLAIN, "EPERM") \
	ATTACK(take_descriptor, CONTROL_PLAIN, "EPERM") \
	ATTACK(shared_memory, CONTROL_PLAIN, "ENOENT") \
	ATTACK(message_queue, CONTROL_PLAIN, "ENOENT") \
	ATTACK(search_keyring, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(add_key, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(type_into_terminal, CONTROL_PLAIN, "EPERM") \
	ATTACK(type_high_bits, CONTROL_PLAIN, "EPERM") \
	ATTACK(paste_into_console, CONTROL_PLAIN, "EPERM") \
	ATTACK(set_line_discipline, CONTROL_PLAIN, "EPERM") \
	ATTACK(disable_randomisation, CONTROL_PLAIN, "EPERM") \
	ATTACK(fork_bomb, CONTROL_PLAIN, "EAGAIN") \
	ATTACK(survive, CONTROL_PLAIN, "-") \
	ATTACK(eat_memory, CONTROL_PLAIN, "ENOMEM") \
	ATTACK(fill_scratch, CONTROL_PLAIN, "ENOSPC") \
	ATTACK(huge_file, CONTROL_PLAIN, "EFBIG") \
	ATTACK(hoard_descriptors, CONTROL_PLAIN, "EMFILE") \
	ATTACK(raise_limit, CONTROL_PLAIN, "EPERM") \
	ATTACK(dump_core, CONTROL_PLAIN, "EPERM") \
	/* The network. */ \
	ATTACK(abstract_socket, CONTROL_PLAIN, "ECONNREFUSED") \
	ATTACK(path_socket, CONTROL_PLAIN, "ENOENT") \
	ATTACK(workspace_socket, CONTROL_PLAIN, "EPERM EACCES") \
	ATTACK(workspace_socket_by_pair, CONTROL_PLAIN, "EPERM EACCES") \
	ATTACK(loopback_tcp, CONTROL_PLAIN, "ECONNREFUSED") \
	ATTACK(loopback_tcp6, CONTROL_PLAIN, "ECONNREFUSED EADDRNOTAVAIL") \
	ATTACK(loopback_mapped, CONTROL_PLAIN, "ECONNREFUSED") \
	ATTACK(route_out, CONTROL_PLAIN, "ENETUNREACH") \
	ATTACK(route_metadata, CONTROL_PLAIN, "ENETUNREACH") \
	ATTACK(raw_socket, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(packet_socket, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(packet_high_bits, CONTROL_NAMESPACED, "EPERM") \
	ATTACK(vsock_socket, CONTROL_PLAIN, "EPERM") \
	ATTACK(crypto_socket, CONTROL_PLAIN, "EPERM") \
	ATTACK(uevent_socket, CONTROL_PLAIN, "EPERM") \
	ATTACK(generic_socket, CONTROL_PLAIN, "EPERM") \
	ATTACK(packet_pair, CONTROL_PLAIN, "EPERM") \
	ATTACK(add_interface, CONTROL_NAMESPACED, "EPERM") \
	/* The kernel's doors, by native numbers with arguments that no real use has, and by foreign ones. */ \
	ATTACK(call_io_uring_setup, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(call_io_uring_enter, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(call_io_uring_register, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(call_bpf, CONTROL_ROOT, "EPERM") \
	ATTACK(call_userfaultfd, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_perf_event_open, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_kcmp, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_init_module, CONTROL_ROOT, "EPERM") \
	ATTACK(call_finit_module, CONTROL_ROOT, "EPERM") \
	ATTACK(call_delete_module, CONTROL_ROOT, "EPERM") \
	ATTACK(call_kexec_load, CONTROL_ROOT, "EPERM") \
	ATTACK(call_swapon, CONTROL_ROOT, "EPERM") \
	ATTACK(call_reboot, CONTROL_ROOT, "EPERM") \
	ATTACK(call_quotactl, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_syslog, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_acct, CONTROL_ROOT, "EPERM") \
	ATTACK(call_settimeofday, CONTROL_ROOT, "EPERM") \
	ATTACK(call_clock_settime, CONTROL_ROOT, "EPERM") \
	ATTACK(call_adjtimex, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_ioperm, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_modify_ldt, CONTROL_PLAIN, "EPERM ENOSYS") \
	ATTACK(call_mbind, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_move_pages, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_name_to_handle_at, CONTROL_PLAIN, "EOPNOTSUPP") \
	ATTACK(call_fanotify_init, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_process_madvise, CONTROL_PLAIN, "EPERM") \
	ATTACK(call_memfd_secret, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(call_newest, CONTROL_PLAIN, "ENOSYS") \
	ATTACK(int80, CONTROL_PLAIN, "SIGSYS") \
	ATTACK(x32, CONTROL_PLAIN, "SIGSYS")
