// SPDX-License-Identifier: GPL-3.0-or-later
/// The options that a run in a job's folder goes by. Private to core/train.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/expected.h"
#include "core/jobs/job_folder.h"

namespace natscope::train {

/// `given`, or with `resume` those of the folder's spec.json, of which `given` changes the place of the result alone;
/// resolved. Errors: usage, bad_job, those of reading files.
template <class Options, class FromJson>
[[nodiscard]] Expected<Options> options_of_job(const std::filesystem::path& job, Options given, bool resume,
                                               const FromJson& from_json) {
  if (!resume) return resolve(std::move(given));
  NATSCOPE_TRY(const nlohmann::json spec, jobs::JobFolder::read_spec(job));
  NATSCOPE_TRY(Options stored, from_json(spec));
  stored.job = job;
  // The folder may stand elsewhere than it did.
  if (!given.out.empty()) stored.out = given.out;
  auto resolved = resolve(std::move(stored));
  if (!resolved) return fail(ErrorCode::bad_job, "spec.json: " + resolved.error().message, resolved.error().hint);
  return resolved;
}

}  // namespace natscope::train
