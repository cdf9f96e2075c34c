package workflow_test

const childFile = "DEWPOINT_TEST_CHILD_FILE"

func child(path string) int { return 1 }
