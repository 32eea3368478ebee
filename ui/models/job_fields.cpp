// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/job_draft.h"

namespace natscope::ui {

// The values are the paper's: from scratch at GPT-2's size, and fine-tuning of Llama-3.1-8B.
const std::vector<JobField>& jobFields() {
  using Type = JobField::Type;
  static const std::vector<JobField> fields{
      {"model", "--model", "Base model", "Folder of the model that learns its roles; its own weights stay as they are.",
       Type::file, 0, 0, nullptr, "", true},
      {"data", "--data", "Text", "Folder of *.txt files in UTF-8, or one file. Fine-tuning also reads *.jsonl.",
       Type::file, 0, 0, "", "", true},
      {"valid", "--valid", "Held-out text", "Text that is never trained on; without it there is no held-out loss.",
       Type::file, 0, 0, "", "", false},
      {"window", "--window", "Window W",
       "Tokens that a sliding token stays. Paper: 16 from scratch; 256 fine-tuned, 128 nearly as good, 64 bad.",
       Type::whole, 0, 1 << 20, "16", "256", true},
      {"sparse_regularized_value", "--lambda", "Sparsity λ",
       "Price of keeping a token. Paper: 0, 1e-9, 5e-9, 1e-8, 1e-7 from scratch; 3e-7 keeps 15 – 24 % fine-tuned.",
       Type::real, 0, 1, "5e-9", "3e-7", true},
      {"steps", "--steps", "Steps", "Optimiser steps. From scratch 0 reads the text once; paper: 7000 fine-tuned.",
       Type::whole, 0, 1e9, "0", "7000", true},
      {"batch", "--batch", "Batch", "Segments or documents of a step. Paper: 480 from scratch, 1 fine-tuned.",
       Type::whole, 1, 65536, "480", "1", true},
      {"micro_batch", "--micro-batch", "Computed at a time", "Segments in memory at once; 0: all of a step's.",
       Type::whole, 0, 65536, "8", nullptr, true},
      {"context", "--context", "Length", "Tokens of a segment. Paper: 1024 from scratch, up to 16 000 fine-tuned.",
       Type::whole, 0, 1 << 20, "1024", "16000", true},
      {"learning_rate", "--lr", "Learning rate", "The highest. Paper: 6e-4 from scratch, 2e-3 fine-tuned.", Type::real,
       0, 10, "6e-4", "2e-3", true},
      {"warmup_steps", "--warmup", "Warm-up", "Steps up to the highest learning rate. Paper: 2000.", Type::whole, 0,
       1e9, "2000", nullptr, true},
      {"layers", "--layers", "Layers", "Paper: 12.", Type::whole, 1, 1024, "12", nullptr, true},
      {"hidden", "--hidden", "Hidden size", "Width of a token's state. Paper: 768.", Type::whole, 1, 65536, "768",
       nullptr, true},
      {"heads", "--heads", "Heads", "Query heads; they divide the hidden size. Paper: 12.", Type::whole, 1, 1024, "12",
       nullptr, true},
      {"kv_heads", "--kv-heads", "KV heads", "Heads with keys, values and roles of their own. Paper: 12.", Type::whole,
       1, 1024, "12", nullptr, true},
      {"vocab", "--vocab", "Vocabulary",
       "Pieces of the tokenizer that is trained on the text. The paper takes GPT-2's 50 257.", Type::whole, 300,
       1 << 20, "32000", nullptr, true},
      {"lora_rank", "--lora-rank", "LoRA rank", "Columns of the factors beside q and k; more learn more and cost more.",
       Type::whole, 1, 4096, nullptr, "8", true},
      {"passkey", "--passkey", "Pass keys", "Share of documents that hide pass keys and ask for them. Paper: 0.08.",
       Type::real, 0, 1, nullptr, "0.08", true},
      {"checkpoint_every", "--checkpoint-every", "Checkpoint every",
       "Steps between checkpoints: what a crash may cost.", Type::whole, 1, 1e9, "200", "100", true},
      {"evaluate_every", "--eval-every", "Evaluate every", "Steps between held-out losses; 0: only at the end.",
       Type::whole, 0, 1e9, "500", "200", true},
      {"threads", "--threads", "Threads", "Of the processor; 0: all.", Type::whole, 0, 1024, "0", "0", true},
  };
  return fields;
}

bool belongs(const JobField& field, DraftKind kind) {
  if (kind == DraftKind::scratch) return field.scratch != nullptr;
  return field.tune != nullptr && (kind == DraftKind::lora || QLatin1String(field.key) != QLatin1String("lora_rank"));
}

}  // namespace natscope::ui
