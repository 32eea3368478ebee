// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/sampling_metadata.h"

namespace natscope::session {

std::string exact(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof(digits), value).ptr};
}

void add_sampling(Metadata& metadata, const SamplingOptions& sampling) {
  metadata["greedy"] = sampling.greedy ? "true" : "false";
  metadata["temperature"] = exact(sampling.temperature);
  metadata["top_k"] = std::to_string(sampling.top_k);
  metadata["top_p"] = exact(sampling.top_p);
  metadata["min_p"] = exact(sampling.min_p);
  metadata["repetition_penalty"] = exact(sampling.repetition_penalty);
}

Expected<SamplingOptions> read_sampling(const MetadataReader& in) {
  SamplingOptions sampling;
  NATSCOPE_TRY(const std::string greedy, in.text("greedy"));
  if (greedy != "true" && greedy != "false") return in.malformed("greedy", greedy);
  sampling.greedy = greedy == "true";
  NATSCOPE_TRY(sampling.temperature, in.number<double>("temperature"));
  NATSCOPE_TRY(sampling.top_k, in.number<std::int32_t>("top_k"));
  NATSCOPE_TRY(sampling.top_p, in.number<double>("top_p"));
  NATSCOPE_TRY(sampling.min_p, in.number<double>("min_p"));
  NATSCOPE_TRY(sampling.repetition_penalty, in.number<double>("repetition_penalty"));
  return sampling;
}

}  // namespace natscope::session
