// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/tokenizer_trainer.h"

#include <fcntl.h>
#include <poll.h>
#include <sentencepiece_trainer.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"
#include "core/tokenizer/sentencepiece_proto.h"
#include "core/tokenizer/training_sentences.h"

namespace natscope {
namespace {

constexpr char trained_mark = '+';
constexpr char failed_mark = '-';
constexpr int no_memory_exit = 4;

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& sentences) : sentences_(sentences) {}

  [[nodiscard]] bool done() const override { return at_ >= sentences_.size(); }
  void Next() override { ++at_; }
  [[nodiscard]] const std::string& value() const override { return sentences_[at_]; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  std::size_t at_ = 0;
};

std::unordered_map<std::string, std::string> trainer_options(const TokenizerTraining& options) {
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  return {
      {"model_type", options.kind == TokenizerKind::bpe ? "bpe" : "unigram"},
      {"vocab_size", std::to_string(options.vocab_size)},
      {"character_coverage", std::to_string(options.character_coverage)},
      {"byte_fallback", "true"},
      {"split_digits", flag(options.split_digits)},
      {"add_dummy_prefix", flag(options.add_dummy_prefix)},
      {"remove_extra_whitespaces", flag(options.remove_extra_whitespaces)},
      {"normalization_rule_name", "identity"},
      {"user_defined_symbols", "\n"},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "-1"},
      {"shuffle_input_sentence", "false"},
      {"num_threads", std::to_string(options.threads)},
      {"minloglevel", "3"},
  };
}

/// In the child: trains, and answers with a mark and the model or a message.
std::string train_here(const std::vector<std::string>& sentences, const TokenizerTraining& options) {
  try {
    Sentences iterator(sentences);
    std::string model;
    const auto status = sentencepiece::SentencePieceTrainer::Train(trainer_options(options), &iterator, &model);
    if (!status.ok()) return failed_mark + std::string(status.message());
    return trained_mark + model;
  } catch (const std::bad_alloc&) {
    ::_exit(no_memory_exit);
  } catch (const std::system_error& problem) {
    if (problem.code() == std::errc::resource_unavailable_try_again) ::_exit(no_memory_exit);  // of threads
    return failed_mark + std::string(problem.what());
  } catch (const std::exception& problem) {
    return failed_mark + std::string(problem.what());
  }
}

/// In the child, which has nothing to say to people: its end does.
[[noreturn]] void end_silently() {
  try {
    if (const std::exception_ptr problem = std::current_exception()) std::rethrow_exception(problem);
  } catch (const std::bad_alloc&) {
    ::_exit(no_memory_exit);
  } catch (...) {
  }
  ::_exit(1);
}

[[noreturn]] void run_child(int descriptor, pid_t parent, const std::vector<std::string>& sentences,
                            const TokenizerTraining& options) {
  // The terminal's Ctrl+C reaches the child too; the parent decides what becomes of it.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  std::set_terminate(end_silently);
  const std::string answer = train_here(sentences, options);
  for (std::size_t at = 0; at < answer.size();) {
    const ssize_t done = ::write(descriptor, answer.data() + at, answer.size() - at);
    if (done < 0 && errno != EINTR) ::_exit(1);
    if (done > 0) at += static_cast<std::size_t>(done);
  }
  ::_exit(0);
}

/// A child that is always waited for, and killed first unless it has ended.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (id_ < 0) return;
    ::kill(id_, SIGKILL);
    static_cast<void>(wait());
  }

  /// Whether it ended for want of memory, by itself or by the system's hand.
  [[nodiscard]] bool ended_without_memory() {
    const int status = wait();
    return (WIFEXITED(status) && WEXITSTATUS(status) == no_memory_exit) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

 private:
  int wait() {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return status;
  }

  pid_t id_;
};

Expected<std::string> read_answer(int descriptor, const StopToken& stop) {
  std::string answer;
  std::array<char, 1 << 16> piece{};
  while (true) {
    NATSCOPE_CHECK(check(stop));
    constexpr int look_up_ms = 50;
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, look_up_ms);
    if (ready < 0 && errno != EINTR) return Unexpected(system_error(errno, "wait for", "the tokenizer's trainer"));
    if (ready <= 0) continue;
    const ssize_t got = ::read(descriptor, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(system_error(errno, "read from", "the tokenizer's trainer"));
    if (got == 0) return answer;
    answer.append(piece.data(), static_cast<std::size_t>(got));
  }
}

/// Trains in a child process: sentencepiece cannot be stopped, and ends its process on some input.
Expected<std::string> train_in_child(const std::vector<std::string>& sentences, const TokenizerTraining& options,
                                     const StopToken& stop) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Unexpected(system_error(errno, "start", "the tokenizer's trainer"));
  UniqueDescriptor reading(ends[0]);
  UniqueDescriptor writing(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  if (id < 0) return Unexpected(system_error(errno, "start", "the tokenizer's trainer"));
  if (id == 0) run_child(writing.get(), parent, sentences, options);
  Child child(id);
  writing = UniqueDescriptor();
  NATSCOPE_TRY(std::string answer, read_answer(reading.get(), stop));
  if (answer.empty() && child.ended_without_memory()) {
    return fail(ErrorCode::out_of_memory, "there is not enough memory to train a vocabulary on this text",
                "give less text, fewer --threads, or a vocabulary with --tokenizer");
  }
  return answer;
}

/// Of a text with more different characters than pieces were asked for.
bool needs_more_pieces(const std::string& why) { return why.find("smaller than required_chars") != std::string::npos; }

/// sentencepiece names its sources and options that are not ours.
std::string in_our_words(const std::string& why) {
  const std::size_t numbers = why.find("required_chars. ");
  if (needs_more_pieces(why) && numbers != std::string::npos) {
    const std::size_t least = why.find(" vs ", numbers);
    const std::size_t end = why.find('.', least == std::string::npos ? numbers : least);
    if (least != std::string::npos && end != std::string::npos)
      return "its characters and the bytes alone are " + why.substr(least + 4, end - least - 4) + " pieces";
  }
  const std::size_t place = why.rfind("] ");  // behind a source's line and the condition that failed
  return place == std::string::npos ? why : why.substr(place + 2);
}

}  // namespace

Expected<void> train_tokenizer(std::span<const std::filesystem::path> files, const TokenizerTraining& options,
                               const std::filesystem::path& out, const StopToken& stop) {
  constexpr int smallest_vocab = 3 + 1 + 256;  // specials, line break, bytes
  if (options.vocab_size <= smallest_vocab) {
    return fail(ErrorCode::bad_data,
                "a vocabulary of " + std::to_string(options.vocab_size) + " pieces has no room for more than bytes",
                "ask for at least 300 pieces");
  }
  NATSCOPE_CHECK(check_writable_target(out));
  NATSCOPE_TRY(const auto sentences, read_training_sentences(files, options.max_input_bytes, stop));
  const Expected<std::string> answer = train_in_child(sentences, options, stop);
  if (!answer) return Unexpected(answer.error());
  if (!answer->starts_with(trained_mark)) {
    const std::string why = answer->empty() ? "its trainer ended without an answer" : answer->substr(1);
    return fail(ErrorCode::bad_data,
                "cannot train a vocabulary of " + std::to_string(options.vocab_size) +
                    " pieces on this text: " + in_our_words(why),
                needs_more_pieces(why) ? "ask for more pieces" : "give more text or ask for fewer pieces");
  }
  const std::string_view model = std::string_view(*answer).substr(1);
  NATSCOPE_CHECK(read_sentencepiece_model(model, "the trained vocabulary"));
  return write_file_atomically(out, model);
}

}  // namespace natscope
