// SPDX-License-Identifier: GPL-3.0-or-later
/// Errors as values: a stable code, what is wrong, and what to do next.
///
/// The table behind name(), exit_code() and the default hints is the only list of error codes (error.cpp). Codes are
/// part of the command line's contract: they are printed in kebab-case and never change their meaning.
#pragma once

#include <string>
#include <string_view>

namespace natscope {

enum class ErrorCode {
  internal,               ///< a defect of ours
  usage,                  ///< wrong flags
  io_failure,             ///< the system refused a read or a write
  file_not_found,         ///< no such file or folder
  not_a_regular_file,     ///< a folder, pipe, device or socket where a file is needed
  not_a_folder,           ///< a file where a folder is needed
  file_too_large,         ///< a file over the size that its kind may have
  disk_full,              ///< no space, or over the quota
  bad_safetensors,        ///< header or ranges of a safetensors file
  bad_json,               ///< not JSON, too deep, too large, duplicate keys
  bad_config,             ///< config.json lacks a value or holds an impossible one
  unsupported_model,      ///< a valid model whose arithmetic is not implemented
  missing_weights,        ///< no safetensors file or index in the model folder
  missing_tensor,         ///< a weight that the config asks for is not there
  unexpected_tensor,      ///< a weight that the arithmetic would not use
  bad_tensor_shape,       ///< shape differs from the config's
  bad_tensor_dtype,       ///< dtype is none of f32, bf16, f16
  bad_index,              ///< model.safetensors.index.json
  bad_generation_config,  ///< generation_config.json
  bad_adapter,            ///< adapter folder
  missing_tokenizer,      ///< no tokenizer.model, no tokenizer.json
  unsupported_tokenizer,  ///< a tokenizer.json that asks for what is not done, or a tokenizer in another form
  bad_tokenizer,          ///< the tokenizer's file does not parse or does not fit the model
  bad_text,               ///< empty, or not UTF-8
  prompt_too_long,        ///< more tokens than the context holds
  bad_token_id,           ///< outside the vocabulary
  bad_roles,              ///< roles file or forced role
  bad_layer,              ///< no such layer
  bad_head,               ///< no such head
  bad_position,           ///< no such token position
  bad_range,              ///< an empty or reversed range of queries or keys
  bad_trace,              ///< trace file
  bad_session,            ///< session file
  bad_policy,             ///< cache policy
  bad_arrays,             ///< arrays or scalars that do not fit an operation
  bad_checkpoint,         ///< training checkpoint
  bad_job,                ///< job folder
  bad_data,               ///< training data
  protocol_error,         ///< a frame or message that breaks the protocol
  engine_lost,            ///< the engine process went away
  device_unavailable,     ///< the asked-for device is not there
  out_of_memory,          ///< memory for the request is not there
  interrupted,            ///< Ctrl+C or a stop request
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  ///< what is wrong; names the file, key or value
  std::string hint;     ///< what to do; the code's default when none was given
};

/// An error whose hint falls back to the code's default. `message` may hold text from files: it is kept raw here and
/// escaped where it is printed.
[[nodiscard]] Error make_error(ErrorCode code, std::string message, std::string hint = {});

/// The code in kebab-case, as scripts see it: "bad-safetensors".
[[nodiscard]] const char* name(ErrorCode code);

/// Exit code of a program that fails with this: 1 defect, 2 usage, 3 bad input, 4 out of memory, 5 interrupted.
[[nodiscard]] int exit_code(ErrorCode code);

/// One line without a final newline: `error: CODE: what is wrong; what to do`. Control characters, invalid UTF-8 and
/// line breaks are escaped, very long texts cut.
[[nodiscard]] std::string format_error_line(const Error& error);

/// `text` with control characters and invalid UTF-8 written as \xNN and cut to about `max_bytes`: for names and
/// values that come from files and are put into messages.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = 200);

}  // namespace natscope
