#include "wildrayzer/io/torch_writer.h"

#include "wildrayzer/io/pickle_writer.h"
#include "wildrayzer/io/zip_writer.h"

namespace wildrayzer {

TorchValue TorchValue::Make(Kind kind, std::vector<TorchValue> items) {
  TorchValue value;
  value.kind_ = kind;
  value.items_ = std::move(items);
  return value;
}

TorchValue TorchValue::MakePairs(Kind kind, std::vector<Pair> pairs) {
  std::vector<TorchValue> items;
  items.reserve(2 * pairs.size());
  for (Pair& pair : pairs) {
    items.push_back(std::move(pair.first));
    items.push_back(std::move(pair.second));
  }
  return Make(kind, std::move(items));
}

TorchValue TorchValue::MakeCheckpoint(std::vector<TensorSource> tensors,
                                      const std::map<std::string, std::string>& metadata) {
  TorchValue model = MakeStateDict(std::move(tensors));
  if (metadata.empty()) return model;
  std::vector<Pair> texts;
  for (const auto& [key, value] : metadata) texts.emplace_back(key, value);
  return MakeDict({{"model", std::move(model)}, {"metadata", MakeDict(std::move(texts))}});
}

TorchValue TorchValue::MakeStateDict(std::vector<TensorSource> tensors) {
  std::vector<Pair> pairs;
  pairs.reserve(tensors.size());
  for (TensorSource& tensor : tensors) {
    std::string name = tensor.name;
    pairs.emplace_back(std::move(name), std::move(tensor));
  }
  return MakeOrderedDict(std::move(pairs));
}

void WriteTorchArchive(const std::filesystem::path& path, const TorchValue& root) {
  PickleWriter pickle;
  const std::string object = pickle.Write(root);
  ZipWriter zip(path);
  zip.Add("archive/data.pkl", object);
  zip.Add("archive/byteorder", "little");
  for (size_t i = 0; i < pickle.tensors().size(); ++i) {
    const TensorSource& tensor = *pickle.tensors()[i];
    zip.Add("archive/data/" + std::to_string(i), static_cast<uint64_t>(tensor.byte_size()), tensor.stream);
  }
  zip.Add("archive/version", "3\n");
  zip.Commit();
}

}  // namespace wildrayzer
