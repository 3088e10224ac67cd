// The smallest program that Fetch can run.
#include "sync/git/fetch.h"

int main(int argc, char** argv) {
  if (!fairlead::git::IsFetchHelper(argc, argv)) return 2;
  return fairlead::git::RunFetchHelper(argc, argv);
}
