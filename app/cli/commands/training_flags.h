// SPDX-License-Identifier: GPL-3.0-or-later
/// Flags that train and finetune have alike. Their options (core/train) name the members behind them alike, too.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <utility>

#include "app/cli/invocation.h"
#include "app/cli/jobs/detach_flags.h"
#include "core/base/expected.h"
#include "core/train/options/train_options.h"

namespace natscope {

/// Where a run's things are, where it is computed and as what it is started.
struct TrainingFlags {
  explicit TrainingFlags(std::string default_dtype) : dtype(std::move(default_dtype)) {}

  std::string data, valid, out, job, dtype, device = "auto";
  bool resume = false;
  DetachFlags detach;

  /// What the help says of them.
  struct PlaceWords {
    const char* data;
    const char* valid;
    const char* out;
  };
  /// --data, --valid, --out, --job and --resume.
  void add_places(CLI::App& command, const PlaceWords& words);
  /// --dtype and --device.
  void add_arithmetic(CLI::App& command);

  /// Whether --detach asks for a job. Errors: usage (beside --resume).
  [[nodiscard]] Expected<bool> wants_job() const;

  template <class Options>
  void apply_to(Options& o) const {
    o.data = data;
    o.valid = valid;
    o.out = out;
    o.job = job.empty() ? out : job;
    o.dtype = dtype == "float32" ? kernels::ElementType::f32 : kernels::ElementType::bf16;
    o.device = device_named(device);
  }
};

/// The group of the flags below.
inline constexpr const char* run_group = "Run";

template <class Options>
void add_optimizer_flags(CLI::App& command, Options& o) {
  command.add_option("--beta1", o.beta1, "AdamW: how long the mean of gradients remembers")
      ->capture_default_str()
      ->group(run_group);
  command.add_option("--beta2", o.beta2, "AdamW: how long the mean of their squares remembers")
      ->capture_default_str()
      ->group(run_group);
  command
      .add_option("--weight-decay", o.weight_decay,
                  "AdamW: decay of matrices, not of norms; in finetune, nor of embeddings")
      ->capture_default_str()
      ->group(run_group);
  command.add_option("--clip", o.clip, "Largest norm of the gradient, score layers left out")
      ->capture_default_str()
      ->group(run_group);
}

/// --seed, --threads and --ranks. `random`: what the seed is of.
template <class Options>
void add_process_flags(CLI::App& command, Options& o, const char* random) {
  command.add_option("--seed", o.seed, random)->check(whole_number())->capture_default_str()->group(run_group);
  command.add_option("--threads", o.threads, "Threads, shared by all ranks of a machine")
      ->default_str("all")
      ->group(run_group);
  command
      .add_option("--ranks", o.ranks,
                  "Processes that share every step, over MPI; without --detach started as mpirun -np N natscope-cli " +
                      command.get_name())
      ->capture_default_str()
      ->group(run_group);
}

/// What is kept and said on the way.
template <class Options>
void add_record_flags(CLI::App& command, Options& o) {
  command.add_option("--checkpoint-every", o.checkpoint_every, "Steps between checkpoints")
      ->capture_default_str()
      ->group(run_group);
  command.add_option("--keep", o.checkpoints_kept, "Checkpoints that are kept")
      ->capture_default_str()
      ->group(run_group);
  command.add_option("--eval-every", o.evaluate_every, "Steps between evaluations; 0: only at the end")
      ->capture_default_str()
      ->group(run_group);
}

}  // namespace natscope
