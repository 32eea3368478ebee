# SPDX-License-Identifier: GPL-3.0-or-later
# What nvcc compiles for a GPU, and tests/cuda_on_host for the CPU.
set(NATSCOPE_CUDA_SOURCES
  attention_decode.cu
  attention_map.cu
  attention_prefill.cu
  attention_train.cu
  device.cu
  kv_cache.cu
  linear.cu
  role_assignment.cu
  row_math.cu
  token_heads.cu
  token_products.cu
  train_operands.cu
)
