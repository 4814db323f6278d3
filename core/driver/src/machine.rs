//! How much memory the process may use.

/// Parts of the machine's memory that the server may use if nothing else is said: three of four.
const USED: usize = 3;
const PARTS: usize = 4;

/// Bytes that the whole process may use if its configuration does not say: three quarters of the machine's memory, or of what the
/// control group of the process allows if that is less. `None` where the system does not tell.
pub(crate) fn default_max_memory() -> Option<usize> {
    memory().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX) / PARTS * USED)
}

/// Bytes of memory that there are for the process.
fn memory() -> Option<u64> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let memory = linux::memory();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let memory = None;
    memory
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs;
    use std::path::Path;

    pub(super) fn memory() -> Option<u64> {
        let machine = total(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let limits = limit_files(&groups).into_iter().filter_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            text.trim().parse().ok() // or "max"
        });
        Some(limits.fold(machine, u64::min))
    }

    /// The bytes of `MemTotal`.
    fn total(meminfo: &str) -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1 << 10)
    }

    /// Where the limits of the control groups stand that `/proc/self/cgroup` lists: of each group and of those around it.
    fn limit_files(groups: &str) -> Vec<String> {
        let mut files = Vec::new();
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let (root, file) = match controllers {
                "" => ("/sys/fs/cgroup", "memory.max"),
                _ if controllers.split(',').any(|it| it == "memory") => {
                    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
                }
                _ => continue,
            };
            let groups = Path::new(path).ancestors().filter_map(Path::to_str);
            files.extend(groups.map(|group| format!("{root}{}/{file}", group.trim_end_matches('/'))));
        }
        files
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_machine_says_how_much_it_has() {
            assert_eq!(
                total("MemTotal:       24683656 kB\nMemFree: 1 kB\n"),
                Some(24_683_656 << 10)
            );
            for other in [
                "",
                "MemTotal: many kB",
                "MemFree: 1 kB",
                "MemTotal: 99999999999999999999 kB",
            ] {
                assert_eq!(total(other), None, "{other}");
            }
            assert!(memory().is_some_and(|bytes| bytes > 1 << 20));
        }

        #[test]
        fn limits_are_those_of_all_groups_around_the_process() {
            assert_eq!(
                limit_files("0::/system.slice/headwater.service\n"),
                [
                    "/sys/fs/cgroup/system.slice/headwater.service/memory.max",
                    "/sys/fs/cgroup/system.slice/memory.max",
                    "/sys/fs/cgroup/memory.max",
                ]
            );
            assert_eq!(
                limit_files("5:cpu,cpuacct:/x\n4:memory:/x\nnonsense\n"),
                [
                    "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                ]
            );
        }
    }
}
