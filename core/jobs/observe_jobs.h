// SPDX-License-Identifier: GPL-3.0-or-later
/// Looking after many jobs at once: a cluster is asked once for all of them.
///
///     auto entries = store.list();                  // what the folders say
///     auto observed = observe_jobs(*entries, stop); // and what only a cluster can see
#pragma once

#include <span>

#include "core/base/cancel.h"
#include "core/jobs/job_store.h"

namespace natscope::jobs {

/// JobRunner::observe() for all of them, whose folders were read just now. A cluster that does not answer is no error:
/// `cluster` says so. May wait for one, until `stop` is asked for. Errors: interrupted; the entries are as before then.
[[nodiscard]] Expected<void> observe_jobs(std::span<JobEntry> jobs, const StopToken& stop);

}  // namespace natscope::jobs
